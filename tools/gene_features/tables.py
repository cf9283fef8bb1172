"""Turns what a file knows about genes into weighted terms: genes x terms, one table a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, vstack

from tools.gene_features.embeddings import read_embedding
from tools.gene_features.files import read_gene_sets, read_network

NEIGHBOURS_KEPT = 200
"""A gene of a network keeps this many of the genes that a walk of two steps reaches most often."""

DIMENSION = "dimension "
"""What the names of an embedding's columns start with."""

_GENES_PER_BLOCK = 500


@dataclass(frozen=True)
class SourceTable:
    """One source before it is written.

    Attributes
    ----------
    name, version, licence
        As written in the file.
    genes, terms
        Names of the rows, sorted, and of the columns.
    values
        csr_array (n_genes, n_terms), no unit.
    term_weights
        (n_terms,) float, what the values of each column are multiplied by.
    term_names
        Short names of some columns, by the names of the columns.
    """

    name: str
    genes: list[str]
    terms: list[str]
    values: csr_array
    term_weights: np.ndarray
    term_names: dict[str, str] = field(default_factory=dict)
    version: str = "not stated"
    licence: str = "not stated"


def unambiguous_aliases(pairs: pd.DataFrame) -> dict[str, str]:
    """From an alias to the one current symbol it stands for.

    Left out: aliases of two symbols or more, and aliases that are the current symbol of a gene.
    """
    pairs = pairs.drop_duplicates()
    ambiguous = pairs["alias"].duplicated(keep=False) | pairs["alias"].isin(pairs["symbol"])
    return dict(pairs[~ambiguous].itertuples(index=False, name=None))


def gene_set_table(name: str, path: Path, symbol_of: dict[str, str]) -> SourceTable:
    """Read sets as columns of ones, weighted by log(genes / genes in the set).

    This is the "inverse document frequency" of text search (Sparck Jones 1972), a gene in place
    of a document and a set in place of a word. Sets of one gene, which link nothing, get no weight.

    Parameters
    ----------
    symbol_of
        From alias to current symbol; a name that is not in it stays as it is.
    """
    pairs, names, notes = read_gene_sets(path)
    pairs["gene"] = pairs["gene"].map(lambda gene: symbol_of.get(gene, gene))
    pairs = pairs.drop_duplicates()
    rows, genes = pd.factorize(pairs["gene"], sort=True)
    columns, terms = pd.factorize(pairs["set"], sort=True)
    values = csr_array((np.ones(len(rows), np.uint8), (rows, columns)), (len(genes), len(terms)))
    size = np.bincount(columns)
    weights = np.log(len(genes) / size) * (size > 1)
    said = {note: notes[note] for note in ("version", "licence") if note in notes}
    return SourceTable(name, list(genes), list(terms), values, weights, names, **said)


def network_table(
    name: str, path: Path, symbol_of: dict[str, str], protein_names: dict[str, str]
) -> SourceTable:
    """Describe each gene by where a random walk along its links is after one and two steps.

    With P the link weights divided by their row sums, the values are those of P + P P, of each
    row the `NEIGHBOURS_KEPT` largest. Columns are weighted as those of gene sets are.
    """
    links = read_network(path, protein_names)
    ends = pd.concat([links["a"], links["b"]]).map(lambda gene: symbol_of.get(gene, gene))
    index, genes = pd.factorize(ends, sort=True)
    a, b = index.reshape(2, -1)
    values = _two_step_walk(_adjacency(a, b, links["weight"].to_numpy(), len(genes)))
    reached_from = np.bincount(values.indices, minlength=len(genes))
    weights = np.log(len(genes) / np.maximum(reached_from, 1))
    return SourceTable(name, list(genes), list(genes), values, weights)


def embedding_table(name: str, path: Path, symbol_of: dict[str, str]) -> SourceTable:
    """Read dimensions as columns, each with its mean over genes taken off.

    A gene that the file has twice, under two of its names, has the mean of its vectors.
    """
    vectors = read_embedding(path).rename(index=symbol_of).groupby(level=0).mean()
    values = csr_array((vectors - vectors.mean()).to_numpy(np.float32))
    terms = [f"{DIMENSION}{number}" for number in range(1, values.shape[1] + 1)]
    return SourceTable(name, list(vectors.index), terms, values, np.ones(len(terms)))


def _adjacency(a: np.ndarray, b: np.ndarray, weight: np.ndarray, n_genes: int) -> csr_array:
    """Symmetric (n_genes, n_genes); of a link that is given twice the largest weight counts."""
    links = pd.DataFrame(
        {"row": np.r_[a, b], "column": np.r_[b, a], "weight": np.r_[weight, weight]}
    )
    largest = links[links["row"] != links["column"]].groupby(["row", "column"])["weight"].max()
    ends = tuple(largest.index.get_level_values(end) for end in ("row", "column"))
    return csr_array((largest.to_numpy(), ends), (n_genes, n_genes))


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
