"""Builds the gene features that predictions rest on (resources/gene_features.npz).

Reads gene sets, networks and embeddings, maps aliases to current symbols, and writes one npz
of sparse arrays with the version and licence of every source:

    python -m tools.gene_features.build OUT.npz --gene-sets GO.gmt.gz PubMed.gmt.gz
        --network STRING=links.tsv.gz --aliases aliases.tsv.gz --note STRING v12.0 "CC-BY 4.0"

A FILE may be given as NAME=FILE; else its source has the start of the file's own name.
"""

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from evaluation.command import command_parser, ending
from perturbation.errors import InputError
from perturbation.model.gene_features import load_gene_features
from tools.gene_features.coverage import print_coverage
from tools.gene_features.files import read_pairs
from tools.gene_features.tables import (
    DIMENSION,
    SourceTable,
    embedding_table,
    gene_set_table,
    network_table,
    tables_of_file,
    unambiguous_aliases,
    write_gene_features,
)


def main(arguments: list[str] | None = None) -> None:
    """Build the features, write them, and print what they cover."""
    options = _parser().parse_args(arguments)
    build(options)
    print_coverage(load_gene_features(options.out))


def build(options: argparse.Namespace) -> None:
    """Read all that the options name, and write options.out."""
    symbol_of: dict[str, str] = {}
    if options.aliases:
        symbol_of = unambiguous_aliases(read_pairs(options.aliases, ["alias", "symbol"]))
    elif options.add_to:  # whose aliases go on
        features = load_gene_features(options.add_to)
        symbol_of = {name: str(features.genes[row]) for name, row in features.row_of.items()}
    readers: dict[str, Callable[[str, Path, dict[str, str]], SourceTable]] = {
        "gene_sets": gene_set_table,
        "network": partial(network_table, string_info=options.string_info),
        "embedding": embedding_table,
    }
    tables = tables_of_file(options.add_to) if options.add_to else {}
    for name, path in map(_name_and_path, options.replace):
        read = readers[_kind(_source(tables, "--replace", name))]
        tables[name] = read(name, path, symbol_of)
    for name in options.drop:
        del tables[_source(tables, "--drop", name).name]
    for kind, read in readers.items():
        for name, path in map(_name_and_path, getattr(options, kind)):
            if name in tables:
                raise InputError(f"{name} is a source already. Give another as NAME=FILE.")
            tables[name] = read(name, path, symbol_of)
    for name, version, licence in options.note:
        table = _source(tables, "--note", name)
        tables[name] = replace(table, version=version, licence=licence)
    write_gene_features(options.out, list(tables.values()), symbol_of)


def _source(tables: dict[str, SourceTable], option: str, name: str) -> SourceTable:
    if name not in tables:
        known = ", ".join(tables) or "none (give a feature file with --add-to)"
        raise InputError(f"{option} names {name}, but the sources are {known}.")
    return tables[name]


def _kind(table: SourceTable) -> str:
    """Say by which option a source of a feature file was made."""
    if table.values.dtype == np.uint8:  # subtle: only membership in a set is written as 0 and 1
        return "gene_sets"
    return "embedding" if table.terms[0].startswith(DIMENSION) else "network"


def _name_and_path(text: str) -> tuple[str, Path]:
    """Split NAME=FILE; a file given alone lends its source the start of its own name."""
    name, _, path = text.rpartition("=")
    name = name or Path(path).name.split(".")[0]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise InputError(
            f"{name!r} is no name for a source: expected letters, digits, - and _. "
            "Give one as NAME=FILE."
        )
    return name, Path(path)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__)
    several = partial(parser.add_argument, nargs="+", action="extend", default=[], metavar="FILE")
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    several("--gene-sets", help="GMT, or gene and set in two columns")
    several("--network", help="gene, gene, weight; or STRING's links")
    several("--embedding", help="text, npy, npz, parquet or h5ad")
    parser.add_argument("--string-info", type=Path, help="STRING's protein.info file")
    parser.add_argument("--aliases", type=Path, help="table of alias and current symbol")
    parser.add_argument("--add-to", type=Path, help="start from the sources of this feature file")
    several("--replace", metavar="NAME=FILE", help="a newer file of the same kind for a source")
    several("--drop", metavar="NAME", help="a source of --add-to to leave out")
    parser.add_argument(
        "--note",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "VERSION", "LICENCE"),
        help="what to write down about a source; gene sets may say so in # comments of their own",
    )
    return parser


if __name__ == "__main__":
    sys.exit(ending(main))
