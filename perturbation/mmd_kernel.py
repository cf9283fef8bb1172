"""The kernel of the MMD metric, from one Gram matrix and one exp."""

import numpy as np

from perturbation.competition import MMD_BANDWIDTHS


def mmd_kernel(rows: np.ndarray) -> np.ndarray:
    """Sum over `MMD_BANDWIDTHS` of exp(-squared distance / bandwidth) between all pairs of rows.

    Each bandwidth is twice the one before, so one exp at the largest, squared again and again, is
    all of them.

    Parameters
    ----------
    rows
        (n, n_genes) float64 cells.

    Returns
    -------
    (n, n) float64; 5 on the diagonal. Peak memory three matrices of that size.
    """
    term = _squared_distances(rows)
    np.divide(term, -MMD_BANDWIDTHS[-1], out=term)
    np.exp(term, out=term)
    total = term.copy()
    for _ in MMD_BANDWIDTHS[1:]:
        np.multiply(term, term, out=term)
        total += term
    return total


def _squared_distances(rows: np.ndarray) -> np.ndarray:
    """(n, n) squared Euclidean distances, from one Gram matrix."""
    centred = rows - rows.mean(axis=0)  # subtle: distances stay, cancellation in the Gram shrinks
    distances = centred @ centred.T
    squares = np.diag(distances).copy()
    distances *= -2
    distances += squares
    distances += squares[:, None]
    np.maximum(distances, 0, out=distances)
    np.fill_diagonal(distances, 0)
    return distances
