"""Turns what a file knows about genes into weighted terms: genes x terms, one table a source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, vstack

from tools.gene_features.files import read_embedding, read_gene_sets, read_network

NEIGHBOURS_KEPT = 200
"""A gene of a network keeps this many of the genes that a walk of two steps reaches most often."""

_GENES_PER_BLOCK = 500


@dataclass(frozen=True)
class SourceTable:
    """One source before it is written.

    Attributes
    ----------
    name, version, licence
        As written in the file.
    genes, terms, term_names
        Names of the rows, of the columns, and short names of the columns (may be empty).
    term_weights
        (n_terms,) float, what the values of each column are multiplied by.
    values
        csr_array (n_genes, n_terms), no unit.
    """

    name: str
    version: str
    licence: str
    genes: list[str]
    terms: list[str]
    term_names: list[str]
    term_weights: np.ndarray
    values: csr_array


def unambiguous_aliases(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """From an alias to the one current symbol it stands for.

    Left out: aliases of two symbols or more, and aliases that are the current symbol of a gene.
    """
    symbols = defaultdict(set)
    for alias, symbol in pairs:
        symbols[alias].add(symbol)
    current = set().union(*symbols.values())
    return {
        alias: next(iter(found))
        for alias, found in symbols.items()
        if len(found) == 1 and alias not in current
    }


def gene_set_table(name: str, path: Path, symbol_of: dict[str, str]) -> SourceTable:
    """Read sets as columns of ones, weighted by log(genes / genes in the set).

    This is the "inverse document frequency" of text search (Sparck Jones 1972), a gene in place
    of a document and a set in place of a word. Sets of one gene, which link nothing, get no weight.

    Parameters
    ----------
    symbol_of
        From alias to current symbol; a name that is not in it stays as it is.
    """
    sets = read_gene_sets(path)
    pairs = {
        (symbol_of.get(gene, gene), gene_set)
        for gene, gene_set in zip(sets.genes, sets.sets, strict=True)
    }
    genes, rows = _indexed([gene for gene, _ in pairs])
    terms, columns = _indexed([gene_set for _, gene_set in pairs])
    values = csr_array((np.ones(len(rows), np.uint8), (rows, columns)), (len(genes), len(terms)))
    size = np.bincount(columns)
    weights = np.log(len(genes) / size) * (size > 1)
    term_names = [sets.names.get(term, "") for term in terms]
    version = sets.notes.get("version", "not stated")
    licence = sets.notes.get("licence", "not stated")
    return SourceTable(name, version, licence, genes, terms, term_names, weights, values)


def network_table(
    name: str, path: Path, symbol_of: dict[str, str], protein_names: dict[str, str]
) -> SourceTable:
    """Describe each gene by where a random walk along its links is after one and two steps.

    With P the link weights divided by their row sums, the values are those of P + P P, of each
    row the `NEIGHBOURS_KEPT` largest. Columns are weighted as those of gene sets are.
    """
    links = read_network(path, protein_names)
    ends = [symbol_of.get(gene, gene) for end in ("a", "b") for gene in links[end]]
    genes, index = _indexed(ends)
    a, b = index.reshape(2, -1)
    values = _two_step_walk(_adjacency(a, b, links["weight"].to_numpy(), len(genes)))
    reached_from = np.bincount(values.indices, minlength=len(genes))
    weights = np.log(len(genes) / np.maximum(reached_from, 1))
    no_names = [""] * len(genes)
    return SourceTable(name, "not stated", "not stated", genes, genes, no_names, weights, values)


def embedding_table(name: str, path: Path, symbol_of: dict[str, str]) -> SourceTable:
    """Read dimensions as columns, each with its mean over genes taken off.

    A gene that the file has twice, under two of its names, has the mean of its vectors.
    """
    found, vectors = read_embedding(path)
    genes, rows = _indexed([symbol_of.get(gene, gene) for gene in found])
    n_vectors, n_dimensions = vectors.shape
    member = csr_array((np.ones(n_vectors), (rows, np.arange(n_vectors))), (len(genes), n_vectors))
    means = (member @ vectors) / member.sum(axis=1)[:, None]
    values = csr_array((means - means.mean(axis=0)).astype(np.float32))
    terms = [f"dimension {number}" for number in range(1, n_dimensions + 1)]
    no_names, weights = [""] * n_dimensions, np.ones(n_dimensions)
    return SourceTable(name, "not stated", "not stated", genes, terms, no_names, weights, values)


def _indexed(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Distinct names, sorted, and the place of each given name among them."""
    distinct = sorted(set(names))
    place = {name: index for index, name in enumerate(distinct)}
    return distinct, np.array([place[name] for name in names])


def _adjacency(a: np.ndarray, b: np.ndarray, weight: np.ndarray, n_genes: int) -> csr_array:
    """Symmetric (n_genes, n_genes); of a link that is given twice the largest weight counts."""
    rows, columns, weights = np.r_[a, b], np.r_[b, a], np.r_[weight, weight]
    order = np.lexsort((-weights, columns, rows))
    rows, columns, weights = rows[order], columns[order], weights[order]
    first = np.r_[True, (np.diff(rows) != 0) | (np.diff(columns) != 0)] & (rows != columns)
    return csr_array((weights[first], (rows[first], columns[first])), (n_genes, n_genes))


def _two_step_walk(adjacency: csr_array) -> csr_array:
    """Rows of P + P P cut to their largest values, float32. A block of rows bounds the memory."""
    total = adjacency.sum(axis=1)
    step = adjacency.multiply(1 / np.where(total > 0, total, 1)[:, None]).tocsr()
    blocks = []
    for start in range(0, step.shape[0], _GENES_PER_BLOCK):
        block = step[start : start + _GENES_PER_BLOCK]
        blocks.append(_largest_of_each_row((block + block @ step).tocsr(), NEIGHBOURS_KEPT))
    return vstack(blocks, format="csr")


def _largest_of_each_row(matrix: csr_array, kept: int) -> csr_array:
    """Keep the `kept` largest values of each row; of equal ones, those of the first columns."""
    matrix.sort_indices()
    chosen = []
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        largest_first = np.argsort(-matrix.data[start:end], kind="stable")
        chosen.append(start + np.sort(largest_first[:kept]))
    values, columns = (array[np.concatenate(chosen)] for array in (matrix.data, matrix.indices))
    indptr = np.r_[0, np.cumsum([len(row) for row in chosen])]
    return csr_array((values.astype(np.float32), columns, indptr), matrix.shape)
