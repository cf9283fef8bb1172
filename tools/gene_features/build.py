"""Builds the gene features that predictions rest on (resources/gene_features.npz).

Reads gene sets, networks and embeddings, maps aliases to current symbols, and writes one npz
of sparse arrays with the version and licence of every source:

    python -m tools.gene_features.build OUT.npz --gene-sets GO.gmt.gz PubMed.gmt.gz
        --network STRING=links.tsv.gz --aliases aliases.tsv.gz --note STRING v12.0 "CC-BY 4.0"
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from perturbation.errors import InputError
from perturbation.files import whole_file
from perturbation.model.gene_features import FORMAT, load_gene_features, read_arrays
from tools.gene_features.coverage import print_coverage
from tools.gene_features.files import read_aliases, read_protein_names
from tools.gene_features.tables import (
    SourceTable,
    embedding_table,
    gene_set_table,
    network_table,
    unambiguous_aliases,
)


def main(arguments: list[str] | None = None) -> None:
    """Build the features, write them, and print what they cover."""
    options = _parser().parse_args(arguments)
    try:
        build(options)
        print_coverage(load_gene_features(options.out), options.coverage)
    except InputError as error:
        raise SystemExit(str(error)) from error
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def build(options: argparse.Namespace) -> None:
    """Read all that the options name, and write options.out."""
    symbol_of = _symbol_of(options)
    tables = tables_of_file(options.add_to) if options.add_to else []
    for text in options.gene_sets:
        tables.append(gene_set_table(*_name_and_path(text), symbol_of))
    protein_names = read_protein_names(options.string_info) if options.string_info else {}
    for text in options.network:
        tables.append(network_table(*_name_and_path(text), symbol_of, protein_names))
    for text in options.embedding:
        tables.append(embedding_table(*_name_and_path(text), symbol_of))
    write_gene_features(options.out, _with_notes(tables, options.note), symbol_of)


def tables_of_file(path: Path) -> list[SourceTable]:
    """Take the sources of a feature file, as they were before it was written."""
    arrays = read_arrays(path)
    genes = arrays["genes"].tolist()
    tables = []
    for facts in zip(arrays["sources"], arrays["versions"], arrays["licences"], strict=True):
        name, version, licence = (str(fact) for fact in facts)
        csr = tuple(arrays[f"{name}.{part}"] for part in ("values", "indices", "indptr"))
        terms, term_names = (arrays[f"{name}.{part}"].tolist() for part in ("terms", "term_names"))
        values = csr_array(csr, shape=(len(genes), len(terms)))
        weights = arrays[f"{name}.term_weights"]
        tables.append(
            SourceTable(name, version, licence, genes, terms, term_names, weights, values)
        )
    return tables


def write_gene_features(path: Path, tables: list[SourceTable], symbol_of: dict[str, str]) -> None:
    """Write the sources and the aliases of their genes; the same input gives the same bytes.

    Parameters
    ----------
    path
        An npz file; its arrays are told in `perturbation.model.gene_features.read_arrays`.
    symbol_of
        From alias to symbol; only aliases of genes in `tables` are written.

    Raises
    ------
    InputError
        If there is no source, or two have one name.
    """
    names = [table.name for table in tables]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"Found {len(names)} sources ({', '.join(names)}), expected at least one, and no name "
            "twice. Give files with --gene-sets, --network or --embedding, as NAME=FILE."
        )
    tables = [_without_empty(table) for table in tables]
    genes = sorted(set().union(*(table.genes for table in tables)))
    row_of = {gene: row for row, gene in enumerate(genes)}
    aliases = sorted(a for a, symbol in symbol_of.items() if symbol in row_of and a not in row_of)
    arrays = {
        "format": np.array(FORMAT),
        "genes": _text(genes),
        "aliases": _text(aliases),
        "alias_rows": np.array([row_of[symbol_of[alias]] for alias in aliases], dtype=np.int32),
        "sources": _text(names),
        "versions": _text([table.version for table in tables]),
        "licences": _text([table.licence for table in tables]),
    }
    for table in tables:
        arrays |= _arrays_of(table, row_of)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _without_empty(table: SourceTable) -> SourceTable:
    """Leave out terms of weight 0, values of 0, terms and genes that then have no value."""
    weighted = csr_array(table.values * (table.term_weights != 0))
    weighted.eliminate_zeros()
    columns = np.unique(weighted.indices)
    rows = np.flatnonzero(np.diff(weighted.indptr))
    if not len(rows):
        raise InputError(
            f"Source {table.name} says nothing: no term is shared by two genes and left out by "
            "another. Is its file complete?"
        )
    return replace(
        table,
        genes=[table.genes[row] for row in rows],
        terms=[table.terms[column] for column in columns],
        term_names=[table.term_names[column] for column in columns],
        term_weights=table.term_weights[columns],
        values=weighted[rows][:, columns].astype(table.values.dtype),
    )


def _arrays_of(table: SourceTable, row_of: dict[str, int]) -> dict[str, np.ndarray]:
    """Arrays of one source, its rows spread over the genes of all sources."""
    rows = np.array([row_of[gene] for gene in table.genes])
    values = table.values[np.argsort(rows)]
    values.sort_indices()
    n_values = np.zeros(len(row_of), dtype=np.int64)
    n_values[rows] = np.diff(table.values.indptr)
    arrays = {
        "terms": _text(table.terms),
        "term_names": _text(table.term_names),
        "term_weights": table.term_weights.astype(np.float32),
        "indptr": np.r_[0, np.cumsum(n_values)].astype(np.int32),
        "indices": values.indices.astype(np.int32),
        "values": values.data,
    }
    return {f"{table.name}.{key}": array for key, array in arrays.items()}


def _text(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=np.str_)


def _symbol_of(options: argparse.Namespace) -> dict[str, str]:
    """Aliases of --aliases, else those of the file of --add-to."""
    if options.aliases:
        return unambiguous_aliases(read_aliases(options.aliases))
    if options.add_to:
        arrays = read_arrays(options.add_to)
        symbols = arrays["genes"][arrays["alias_rows"]].tolist()
        return dict(zip(arrays["aliases"].tolist(), symbols, strict=True))
    return {}


def _name_and_path(text: str) -> tuple[str, Path]:
    """Split NAME=FILE; a file given alone lends its source the start of its own name."""
    name, equals, path = text.partition("=")
    if not equals or "/" in name:
        name, path = Path(text).name.split(".")[0], text
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise InputError(
            f"{name!r} is no name for a source: expected letters, digits, - and _. "
            "Give one as NAME=FILE."
        )
    return name, Path(path)


def _with_notes(tables: list[SourceTable], notes: list[list[str]]) -> list[SourceTable]:
    """Give tables the version and licence that --note says."""
    said = {name: {"version": version, "licence": licence} for name, version, licence in notes}
    unknown = sorted(set(said) - {table.name for table in tables})
    if unknown:
        names = ", ".join(table.name for table in tables)
        raise InputError(f"--note names {', '.join(unknown)}, but the sources are {names}.")
    return [replace(table, **said.get(table.name, {})) for table in tables]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools.gene_features.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    several = {"nargs": "+", "action": "extend", "default": [], "metavar": "[NAME=]FILE"}
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    parser.add_argument("--gene-sets", **several, help="GMT, or gene and set in two columns")
    parser.add_argument("--network", **several, help="gene, gene, weight; or STRING's links")
    parser.add_argument("--embedding", **several, help="text as gene2vec's, npz or parquet")
    parser.add_argument("--string-info", type=Path, help="STRING's protein.info file")
    parser.add_argument("--aliases", type=Path, help="table of alias and current symbol")
    parser.add_argument("--add-to", type=Path, help="start from the sources of this feature file")
    parser.add_argument(
        "--note",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "VERSION", "LICENCE"),
        help="what to write down about a source; gene sets may say so in # comments of their own",
    )
    parser.add_argument("--coverage", type=Path, help="count the genes of this list, one a line")
    return parser


if __name__ == "__main__":
    main()
