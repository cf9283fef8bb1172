"""Counts how many genes of a list the gene features know.

python -m tools.gene_features.coverage predict_perturbations.txt
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from evaluation.command import command_parser, ending
from evaluation.reading import read_names
from perturbation.data.names import listed
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features

_FEATURES = Path("resources") / GENE_FEATURES_FILE


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = command_parser(__doc__)
    parser.add_argument("genes", type=Path, help="gene names, one a line")
    parser.add_argument("--features", type=Path, default=_FEATURES, help=f"default: {_FEATURES}")
    options = parser.parse_args(arguments)
    print_coverage(load_gene_features(options.features), options.genes)


def print_coverage(features: GeneFeatures, gene_list: Path | None = None) -> None:
    """Print each source with its size, version and licence, and its share of `gene_list`."""
    genes = read_names(gene_list) if gene_list else []
    n_aliases = len(features.row_of) - len(features.genes)
    print(f"{len(features.genes):,} genes, {n_aliases:,} aliases")
    known_at_all = np.zeros(len(genes), dtype=bool)
    for source in features.sources.values():
        n_genes = int((np.diff(source.rows.indptr) > 0).sum())
        known = features.known(source.name, genes)
        known_at_all |= known
        share = f" {_share(known)} of the list," if genes else ""
        print(
            f"{source.name}:{share} {n_genes:,} genes x {len(source.terms):,} terms, "
            f"{source.rows.nnz:,} values; {source.version}; {source.licence}"
        )
    if genes:
        missing = [gene for gene, found in zip(genes, known_at_all, strict=True) if not found]
        print(f"any source: {_share(known_at_all)}, not: {listed(missing, most=10) or 'none'}")


def _share(known: np.ndarray) -> str:
    return f"{known.sum():,}/{len(known):,} ({known.mean():.1%})"


if __name__ == "__main__":
    sys.exit(ending(main))
