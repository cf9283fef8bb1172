"""The kernel of the MMD metric, and its slope, from one Gram matrix and one exp."""

import numpy as np

from perturbation.competition import MMD_BANDWIDTHS

ROWS_PER_BLOCK = 128
"""Rows of the kernel made at a time: what they need fits into the processor's cache."""


def mmd_kernel(rows: np.ndarray, dtype: type[np.floating] = np.float64) -> np.ndarray:
    """Sum over `MMD_BANDWIDTHS` of exp(-squared distance / bandwidth) between all pairs of rows.

    Each bandwidth is twice the one before, so one exp at the largest, squared again and again, is
    all of them.

    Parameters
    ----------
    rows
        (n, n_genes) float64 cells.
    dtype
        In which the kernel, made in float64, is kept.

    Returns
    -------
    (n, n); 5 on the diagonal. Peak memory this matrix, and a copy of the rows.
    """
    rows = rows - rows.mean(axis=0)  # subtle: distances stay, cancellation in the Gram shrinks
    squares = (rows * rows).sum(axis=1)
    matrix = np.empty((len(rows), len(rows)), dtype)
    for start in range(0, len(rows), ROWS_PER_BLOCK):
        part = slice(start, start + ROWS_PER_BLOCK)
        block = -2 * rows[part] @ rows.T
        block += squares
        block += squares[part, None]
        np.fill_diagonal(block[:, start:], 0)
        matrix[part] = _weighted_exps(block, np.ones(len(MMD_BANDWIDTHS)))
    return matrix


def kernel_slope(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum of exp(-squared distance / bandwidth) / bandwidth: minus the kernel's slope.

    Parameters
    ----------
    a, b
        (n_a, n_genes), (n_b, n_genes) float64 cells.

    Returns
    -------
    (n_a, n_b) float64, positive or, far away, 0; largest at distance 0.
    """
    centre = b.mean(axis=0)
    a, b = a - centre, b - centre
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    return _weighted_exps(squares, 1 / np.array(MMD_BANDWIDTHS))


def _weighted_exps(squares: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum over the bandwidths for squared distances, which are overwritten."""
    # One exp at the largest bandwidth; squared, it is that at half of it, and so on.
    np.maximum(squares, 0, out=squares)
    squares /= -MMD_BANDWIDTHS[-1]
    term = np.exp(squares, out=squares)
    total = weights[-1] * term
    for weight in weights[-2::-1]:
        term *= term
        total += weight * term
    return total
