"""Kernels between genes: of what is known about them, and of the process under study.

A user of another system changes START, END and TERMS, and nothing else.
"""

from collections.abc import Sequence

import numpy as np

from perturbation.model.gene_features import GeneFeatures

START, END = "pre_adipo", "adipo"
"""Program flags of cells before and after the process."""

TERMS = {
    "GO:0045444": "fat cell differentiation",
    "GO:0045600": "positive regulation of fat cell differentiation",
    "GO:0045599": "negative regulation of fat cell differentiation",
}
"""Terms of the gene features that name it, and what they mean."""


def process_terms(gene_features: GeneFeatures | None, genes: Sequence[str]) -> np.ndarray:
    """Which genes are known to take part in the process.

    Parameters
    ----------
    gene_features
        From `load_gene_features`; None knows nothing.
    genes
        Names, aliases included.

    Returns
    -------
    (n_genes, n_terms) float64: 1 where some source lists the gene under the term, else 0.
    """
    if gene_features is None:
        return np.zeros((len(genes), len(TERMS)))
    return gene_features.listed(genes, list(TERMS)).astype(np.float64)


def gene_kernels(
    gene_features: GeneFeatures | None, a: Sequence[str], b: Sequence[str]
) -> np.ndarray:
    """(n_sources, len(a), len(b)) float64 cosine kernels; without features, one of zeros."""
    if gene_features is None:
        return np.zeros((1, len(a), len(b)))
    return np.stack([gene_features.kernel(source, a, b) for source in gene_features.sources])


def source_weights(kernels: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """Weight of each source, by what it says about the training effects.

    The weight is the correlation, over pairs of different knock-outs, of a source's kernel with the
    products of their effects, as in kernel alignment (Cortes, Mohri and Rostamizadeh 2012,
    Algorithms for learning kernels based on centered alignment). A negative one counts as none.

    Parameters
    ----------
    kernels
        (n_sources, n, n) between training knock-outs.
    gram
        (n, n) products of the training effects.

    Returns
    -------
    (n_sources,) non-negative, sum 1; equal where no source says anything.
    """
    pairs = np.triu_indices(len(gram), 1)
    weights = np.array([max(_correlation(k[pairs], gram[pairs]), 0.0) for k in kernels])
    return weights / weights.sum() if weights.sum() > 0 else np.ones(len(kernels)) / len(kernels)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (values - values.mean() if values.size else values for values in (a, b))
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length > 0 else 0.0
