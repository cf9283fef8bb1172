"""Writes sources into one feature file, and takes them out again as they were."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from perturbation.data.names import listed
from perturbation.errors import InputError
from perturbation.files import whole_file
from perturbation.model.gene_features import FORMAT, read_arrays
from tools.gene_features.tables import SourceTable

PARTS = ("terms", "term_names", "term_weights", "values", "indices", "indptr")
"""What is written of every source."""


def tables_of_file(path: Path) -> dict[str, SourceTable]:
    """Take the sources of a feature file, as they were before it was written."""
    arrays = read_arrays(path)
    tables = {}
    for facts in zip(arrays["sources"], arrays["versions"], arrays["licences"], strict=True):
        name, version, licence = (str(fact) for fact in facts)
        terms, names, weights, *csr = (arrays[f"{name}.{part}"] for part in PARTS)
        values = csr_array(tuple(csr), shape=(len(arrays["genes"]), len(terms)))
        known = np.flatnonzero(np.diff(values.indptr))
        genes = arrays["genes"][known].tolist()
        tables[name] = SourceTable(
            name, genes, terms.tolist(), names.tolist(), values[known], weights, version, licence
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
        If there is no source, or one shares no gene with the others.
    """
    if not tables:
        raise InputError(
            "Found no sources. Give files with --gene-sets, --network or --embedding, as NAME=FILE."
        )
    for table in reversed(tables):  # the last is the newest
        _require_shared_genes(table, [other for other in tables if other is not table])
    genes = sorted(set().union(*(table.genes for table in tables)))
    row_of = {gene: row for row, gene in enumerate(genes)}
    aliases = sorted(a for a, symbol in symbol_of.items() if symbol in row_of and a not in row_of)
    arrays = {
        "format": np.array(FORMAT),
        "genes": _text(genes),
        "aliases": _text(aliases),
        "alias_rows": np.array([row_of[symbol_of[alias]] for alias in aliases], dtype=np.int32),
        "sources": _text([table.name for table in tables]),
        "versions": _text([table.version for table in tables]),
        "licences": _text([table.licence for table in tables]),
    }
    for table in tables:
        arrays |= _arrays_of(table, row_of)
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _require_shared_genes(table: SourceTable, others: list[SourceTable]) -> None:
    known = set().union(*(other.genes for other in others))
    if others and known.isdisjoint(table.genes):
        raise InputError(
            f"Source {table.name} shares no gene with the others: it names {listed(table.genes)}; "
            f"they name {listed(sorted(known))}. Expected symbols; --aliases translates others."
        )


def _arrays_of(table: SourceTable, row_of: dict[str, int]) -> dict[str, np.ndarray]:
    """Arrays of one source, its rows spread over the genes of all sources."""
    values = table.values.sorted_indices()
    n_values = np.zeros(len(row_of), dtype=np.int64)
    n_values[[row_of[gene] for gene in table.genes]] = np.diff(values.indptr)
    arrays = (
        _text(table.terms),
        _text(table.term_names),
        table.term_weights.astype(np.float32),
        values.data,
        values.indices.astype(np.int32),
        np.r_[0, np.cumsum(n_values)].astype(np.int32),
    )
    return {f"{table.name}.{part}": array for part, array in zip(PARTS, arrays, strict=True)}


def _text(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=np.str_)
