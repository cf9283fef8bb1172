"""What is known about genes before any experiment, as cosine kernels between genes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from perturbation.errors import InputError
from perturbation.files import read_npz

GENE_FEATURES_FILE = "gene_features.npz"
FORMAT = "gene_features 1"
"""First thing in the file; a file with another one is not read."""
CURE = (
    "Restore the file from the repository, or build it again with "
    "`python -m tools.gene_features.build` (see resources/README.md)."
)


@dataclass(frozen=True)
class Source:
    """One source of knowledge, such as GO: weighted terms for every gene.

    Attributes
    ----------
    name, version, licence
        Where the terms come from, for people to read.
    terms, term_names
        (n_terms,) str, identifiers and short names. A name may be empty.
    rows
        csr_array (n_genes, n_terms), float32, no unit. A row has Euclidean length 1, or is
        empty where the source knows nothing about the gene.
    """

    name: str
    version: str
    licence: str
    terms: np.ndarray
    term_names: np.ndarray
    rows: csr_array


@dataclass(frozen=True, repr=False)
class GeneFeatures:
    """Every source over the same genes, and the row of each gene.

    Attributes
    ----------
    genes
        (n_genes,) str, current symbols, sorted.
    sources
        From the name of a source to the source, in the order of the file.
    row_of
        From a symbol, or an alias that means one gene only, to its row.
    """

    genes: np.ndarray
    sources: dict[str, Source]
    row_of: dict[str, int]

    def __repr__(self) -> str:
        return f"GeneFeatures({len(self.genes):,} genes; {', '.join(self.sources)})"

    def kernel(self, source: str, a: Sequence[str], b: Sequence[str]) -> np.ndarray:
        """Cosine between what `source` knows about the genes of `a` and of `b`.

        Parameters
        ----------
        source
            A key of `sources`.
        a, b
            Gene symbols; aliases are understood.

        Returns
        -------
        (len(a), len(b)) float64: 1 for a known gene and itself, 0 where one of them has no terms.

        Raises
        ------
        InputError
            If there is no such source.
        """
        if source not in self.sources:
            raise InputError(
                f"The gene features have no source {source}, only {', '.join(self.sources)}. "
                "resources/README.md tells how to add one."
            )
        kernel = np.zeros((len(a), len(b)))
        rows_a, rows_b = self.rows_of(a), self.rows_of(b)
        weights = self.sources[source].rows
        found_a = weights[rows_a[rows_a >= 0]].astype(np.float64)
        found_b = weights[rows_b[rows_b >= 0]].astype(np.float64)
        kernel[np.ix_(rows_a >= 0, rows_b >= 0)] = (found_a @ found_b.T).toarray()
        return kernel

    def listed(self, genes: Sequence[str], terms: Sequence[str]) -> np.ndarray:
        """Whether some source lists each gene under each term: (len(genes), len(terms)) bool."""
        found, rows = np.zeros((len(genes), len(terms)), dtype=bool), self.rows_of(genes)
        for source in self.sources.values():
            of_genes = source.rows[np.maximum(rows, 0)]
            for column, term in enumerate(terms):
                is_listed = of_genes[:, np.flatnonzero(source.terms == term)].sum(axis=1) > 0
                found[:, column] |= is_listed & (rows >= 0)
        return found

    def rows_of(self, genes: Sequence[str]) -> np.ndarray:
        """Row of each gene, (len(genes),) int; -1 where there is none."""
        return np.array([self.row_of.get(str(gene), -1) for gene in genes], dtype=np.intp)


def load_gene_features(path: str | Path) -> GeneFeatures:
    """Read the file that `python -m tools.gene_features.build` writes.

    Parameters
    ----------
    path
        Usually resources/gene_features.npz.

    Raises
    ------
    InputError
        If the file is missing, cut short or of another format.
    """
    arrays = read_arrays(path)
    genes = arrays["genes"]
    row_of = dict(zip(arrays["aliases"].tolist(), arrays["alias_rows"].tolist(), strict=True))
    row_of |= {gene: row for row, gene in enumerate(genes.tolist())}
    sources = {}
    facts = [arrays[key].astype(str).tolist() for key in ("sources", "versions", "licences")]
    for name, version, licence in zip(*facts, strict=True):
        terms, term_names = arrays[f"{name}.terms"], arrays[f"{name}.term_names"]
        rows = _unit_rows(arrays, name, len(genes))
        sources[name] = Source(name, version, licence, terms, term_names, rows)
    return GeneFeatures(genes, sources, row_of)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Arrays of a feature file by name, as written.

    For n genes, and t terms and v values of a source called NAME:

    - ``format`` (), ``genes`` (n,) sorted, ``aliases`` (m,) and ``alias_rows`` (m,),
    - ``sources``, ``versions``, ``licences``, one entry a source,
    - ``NAME.terms``, ``NAME.term_names``, ``NAME.term_weights`` (t,),
    - ``NAME.indptr`` (n + 1,), ``NAME.indices`` (v,), ``NAME.values`` (v,): values[i] of term
      indices[i] belongs to gene g for indptr[g] <= i < indptr[g + 1].

    Raises
    ------
    InputError
        If the file is missing, cut short or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is missing. {CURE}")
    arrays = read_npz(path, CURE)
    found = str(arrays.get("format", "none"))
    if found != FORMAT:
        raise InputError(f"{path} has the format {found!r}, expected {FORMAT!r}. {CURE}")
    return arrays


def _unit_rows(arrays: dict[str, np.ndarray], name: str, n_genes: int) -> csr_array:
    """Values times the weights of their terms, every row divided by its Euclidean length."""
    indptr, indices = arrays[f"{name}.indptr"], arrays[f"{name}.indices"]
    weights = arrays[f"{name}.term_weights"].astype(np.float64)
    values = arrays[f"{name}.values"] * weights[indices]
    rows = csr_array((values, indices, indptr), shape=(n_genes, len(weights)))
    lengths = np.sqrt(rows.power(2).sum(axis=1))
    rows.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(indptr))
    return rows.astype(np.float32)
