"""One kernel from many sources of gene knowledge, weighted by what they say about the effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from perturbation.gene_features import GeneFeatures


def gene_kernels(
    gene_features: GeneFeatures | None, a: Sequence[str], b: Sequence[str]
) -> np.ndarray:
    """(n_sources, len(a), len(b)) float64 cosine kernels; no source without features."""
    if gene_features is None:
        return np.zeros((0, len(a), len(b)))
    return np.stack([gene_features.kernel(source, a, b) for source in gene_features.sources])


def aligned_kernel(
    kernels: np.ndarray, target_kernels: np.ndarray, gram: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add up the sources, each with the weight that training effects give it.

    The weight is the correlation, over pairs of different knock-outs, of a source's kernel with the
    products of their effects, as in kernel alignment (Cortes, Mohri and Rostamizadeh 2012,
    Algorithms for learning kernels based on centered alignment). A negative one counts as none.

    Parameters
    ----------
    kernels
        (n_sources, n, n) between training knock-outs.
    target_kernels
        (n_sources, n_targets, n).
    gram
        (n, n) products of the training effects.

    Returns
    -------
    kernel, target_kernel
        (n, n) and (n_targets, n); the weights sum to 1.
    """
    pairs = np.triu_indices(len(gram), 1)
    weights = np.array([max(_correlation(k[pairs], gram[pairs]), 0.0) for k in kernels])
    if weights.sum() > 0:
        weights /= weights.sum()
    else:
        weights[:] = 1 / max(len(kernels), 1)
    return np.tensordot(weights, kernels, axes=1), np.tensordot(weights, target_kernels, axes=1)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean() if a.size else a, b - b.mean() if b.size else b
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length > 0 else 0.0
