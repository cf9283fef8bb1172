"""Counts how many genes of a list the gene features know.

python -m tools.gene_features.coverage predict_perturbations.txt
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

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
    rows = features.rows_of(genes)
    known = pd.DataFrame(index=genes)
    for source in features.sources.values():
        is_known = np.diff(source.rows.indptr) > 0
        known[source.name] = is_known[rows] & (rows >= 0)
        print(
            f"{source.name}: {is_known.sum():,} genes x "
            f"{len(source.terms):,} terms, {source.rows.nnz:,} values; {source.version}; "
            f"{source.licence}"
        )
    if genes:
        known["any source"] = known.any(axis=1)
        for name, of in known.items():
            print(f"{name} knows {of.sum():,} of {len(of):,} in the list ({of.mean():.1%})")
        print("Not known:", listed(known.index[~known["any source"]], most=10) or "none")


if __name__ == "__main__":
    sys.exit(ending(main))
