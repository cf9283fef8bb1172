"""Writes sources into one feature file, and takes them out again as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from perturbation.data.names import listed
from perturbation.errors import InputError
from perturbation.files import whole_file
from perturbation.model.gene_features import FORMAT, read_arrays
from tools.gene_features.tables import SourceTable


def tables_of_file(path: Path) -> dict[str, SourceTable]:
    """Take the sources of a feature file, as they were before it was written."""
    arrays = read_arrays(path)
    genes = arrays["genes"].tolist()
    tables = {}
    for facts in zip(arrays["sources"], arrays["versions"], arrays["licences"], strict=True):
        name, version, licence = (str(fact) for fact in facts)
        terms, weights = arrays[f"{name}.terms"].tolist(), arrays[f"{name}.term_weights"]
        names = dict(zip(terms, arrays[f"{name}.term_names"].tolist(), strict=True))
        csr = tuple(arrays[f"{name}.{part}"] for part in ("values", "indices", "indptr"))
        values = csr_array(csr, shape=(len(genes), len(terms)))
        tables[name] = SourceTable(name, genes, terms, values, weights, names, version, licence)
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
        If there is no source, two have one name, or one shares no gene with the others.
    """
    names = [table.name for table in tables]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"Found {len(names)} sources ({', '.join(names)}), expected at least one, and no name "
            "twice. Give files with --gene-sets, --network or --embedding, as NAME=FILE."
        )
    tables = [_without_empty(table) for table in tables]
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
        "sources": _text(names),
        "versions": _text([table.version for table in tables]),
        "licences": _text([table.licence for table in tables]),
    }
    for table in tables:
        arrays |= _arrays_of(table, row_of)
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


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
        term_weights=table.term_weights[columns],
        values=weighted[rows][:, columns].astype(table.values.dtype),
    )


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
    arrays = {
        "terms": _text(table.terms),
        "term_names": _text([table.term_names.get(term, "") for term in table.terms]),
        "term_weights": table.term_weights.astype(np.float32),
        "indptr": np.r_[0, np.cumsum(n_values)].astype(np.int32),
        "indices": values.indices.astype(np.int32),
        "values": values.data,
    }
    return {f"{table.name}.{key}": array for key, array in arrays.items()}


def _text(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=np.str_)
