"""Sources of gene features, genes x weighted terms: made of files, and in the feature file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, vstack

from perturbation.data.names import listed
from perturbation.errors import InputError
from perturbation.files import whole_file
from perturbation.model.gene_features import FORMAT, read_arrays
from tools.gene_features.files import read_embedding, read_gene_sets, read_network

NEIGHBOURS_KEPT = 200
"""A gene of a network keeps this many of the genes that a walk of two steps reaches most often."""

DIMENSION = "dimension "
"""What the names of an embedding's columns start with."""

_GENES_PER_BLOCK = 500
PARTS = ("terms", "term_names", "term_weights", "values", "indices", "indptr")
"""What is written of every source."""


@dataclass(frozen=True)
class SourceTable:
    """One source before it is written.

    Attributes
    ----------
    name, version, licence
        As written in the file.
    genes, terms, term_names
        Names of the rows, sorted, and of the columns; short names of the columns or "".
    values
        csr_array (n_genes, n_terms), no unit.
    term_weights
        (n_terms,) float, what the values of each column are multiplied by.
    """

    name: str
    genes: list[str]
    terms: list[str]
    term_names: list[str]
    values: csr_array
    term_weights: np.ndarray
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
    of a document and a set in place of a word. Sets of one gene, or of all, tell nothing and are
    left out.

    Parameters
    ----------
    symbol_of
        From alias to current symbol; a name that is not in it stays as it is.
    """
    pairs, names, notes = read_gene_sets(path)
    symbols = pairs["gene"].map(lambda gene: symbol_of.get(gene, gene))
    pairs = pairs.assign(gene=symbols).drop_duplicates()
    n_genes = pairs["gene"].nunique()
    pairs = pairs[pairs.groupby("set")["gene"].transform("size").between(2, n_genes - 1)]
    if pairs.empty:
        raise InputError(
            f"{path} holds no gene sets, none of two genes or more that leaves others out. "
            "Expected GMT (set, name, genes; the file name ends in .gmt or .gmt.gz) or two "
            "columns, gene and set."
        )
    rows, genes = pd.factorize(pairs["gene"], sort=True)
    columns, terms = pd.factorize(pairs["set"], sort=True)
    values = csr_array((np.ones(len(rows), np.uint8), (rows, columns)), (len(genes), len(terms)))
    weights, term_names = np.log(n_genes / np.bincount(columns)), [names.get(t, "") for t in terms]
    return SourceTable(name, list(genes), list(terms), term_names, values, weights, **notes)


def network_table(
    name: str, path: Path, symbol_of: dict[str, str], string_info: Path | None = None
) -> SourceTable:
    """Describe each gene by where a random walk along its links is after one and two steps.

    With P the link weights divided by their row sums, the values are those of P + P P, of each
    row the `NEIGHBOURS_KEPT` largest. Columns are weighted as those of gene sets are.
    """
    links = read_network(path, string_info)
    symbols = links[["a", "b"]].map(lambda gene: symbol_of.get(gene, gene))
    links = links.assign(**symbols)
    links = links[(links["a"] != links["b"]) & (links["weight"] > 0)]
    if links.empty:
        hint = "" if string_info else " STRING's protein.links also needs --string-info."
        raise InputError(f"{path} holds no links between two genes.{hint}")
    index, genes = pd.factorize(pd.concat([links["a"], links["b"]]), sort=True)
    a, b = index.reshape(2, -1)
    values = _two_step_walk(_adjacency(a, b, links["weight"], len(genes)))
    reached_from = np.bincount(values.indices, minlength=len(genes))
    weights = np.log(len(genes) / np.maximum(reached_from, 1))
    return SourceTable(name, list(genes), list(genes), [""] * len(genes), values, weights)


def embedding_table(name: str, path: Path, symbol_of: dict[str, str]) -> SourceTable:
    """Read dimensions as columns, each with its mean over genes taken off.

    A gene that the file has twice, under two of its names, has the mean of its vectors.
    """
    vectors = read_embedding(path).rename(index=symbol_of).groupby(level=0).mean()
    values = csr_array((vectors - vectors.mean()).to_numpy(np.float32))
    terms = [f"{DIMENSION}{number}" for number in range(1, values.shape[1] + 1)]
    no_names, weights = [""] * len(terms), np.ones(len(terms))
    return SourceTable(name, list(vectors.index), terms, no_names, values, weights)


def _adjacency(a: np.ndarray, b: np.ndarray, weight: pd.Series, n_genes: int) -> csr_array:
    """Symmetric (n_genes, n_genes); of a link that is given twice the largest weight counts."""
    largest = weight.groupby([a, b]).max()
    ends = tuple(largest.index.get_level_values(end) for end in range(2))
    one_way = csr_array((largest.to_numpy(), ends), (n_genes, n_genes))
    return one_way.maximum(one_way.T).tocsr()


def _two_step_walk(adjacency: csr_array) -> csr_array:
    """Rows of P + P P cut to their largest values, float32. A block of rows bounds the memory."""
    total = adjacency.sum(axis=1)
    step, blocks = csr_array(adjacency.multiply(1 / total[:, None])), []
    for start in range(0, step.shape[0], _GENES_PER_BLOCK):
        block = step[start : start + _GENES_PER_BLOCK]
        walk = (block + block @ step).sorted_indices().tocoo()
        row, column = walk.coords
        values = pd.DataFrame({"row": row, "column": column, "value": walk.data})
        # subtle: stable, so that of equal values those of the first columns are kept
        values = values.sort_values("value", ascending=False, kind="stable")
        kept = values.groupby("row").head(NEIGHBOURS_KEPT)
        ends = kept["row"].to_numpy(), kept["column"].to_numpy()
        blocks.append(csr_array((kept["value"].to_numpy(np.float32), ends), walk.shape))
    return vstack(blocks, format="csr")


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
        known = set().union(*(other.genes for other in tables if other is not table))
        if known and known.isdisjoint(table.genes):
            raise InputError(
                f"Source {table.name} shares no gene with the others: it names "
                f"{listed(table.genes)}; they name {listed(sorted(known))}. Expected symbols; "
                "--aliases translates others."
            )
    genes = sorted(set().union(*(table.genes for table in tables)))
    row_of = {gene: row for row, gene in enumerate(genes)}
    aliases = sorted(a for a, symbol in symbol_of.items() if symbol in row_of and a not in row_of)
    arrays = {
        "format": np.array(FORMAT),
        "genes": np.array(genes, np.str_),
        "aliases": np.array(aliases, np.str_),
        "alias_rows": np.array([row_of[symbol_of[alias]] for alias in aliases], dtype=np.int32),
        "sources": np.array([table.name for table in tables], np.str_),
        "versions": np.array([table.version for table in tables], np.str_),
        "licences": np.array([table.licence for table in tables], np.str_),
    }
    for table in tables:
        values = table.values.sorted_indices()
        n_values = np.zeros(len(genes), dtype=np.int64)
        n_values[[row_of[gene] for gene in table.genes]] = np.diff(values.indptr)
        parts = (
            np.array(table.terms, np.str_),
            np.array(table.term_names, np.str_),
            table.term_weights.astype(np.float32),
            values.data,
            values.indices.astype(np.int32),
            np.r_[0, np.cumsum(n_values)].astype(np.int32),
        )
        for part, array in zip(PARTS, parts, strict=True):
            arrays[f"{table.name}.{part}"] = array
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
