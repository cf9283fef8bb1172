"""Training effects as directions, their axes, and what they were without one knock-out."""

from dataclasses import dataclass

import numpy as np

from perturbation.data.centroids import TrainingCentroids

TINY = 1e-12
"""Lengths and variances below it are rounding; what is divided by them would be noise."""
NOISE_RANGE = (0.2, 5.0)
"""A direction counts as at most so much less or more noisy than the median one."""


@dataclass(frozen=True)
class Effects:
    """Residuals from the perturbed centroid, each split into a direction and a length.

    Attributes
    ----------
    perturbations
        (n,) names.
    perturbed_centroid
        (n_genes,) mean of all perturbed cells.
    directions
        (n + 1, n_genes) of unit length; the last is that of the control, zero without controls.
    lengths
        (n + 1,) of the residuals, unit of the centroids.
    shares
        (n,) share of the perturbed cells that are of each knock-out.
    """

    perturbations: list[str]
    perturbed_centroid: np.ndarray
    directions: np.ndarray
    lengths: np.ndarray
    shares: np.ndarray


def effects_of(training: TrainingCentroids) -> Effects:
    """Take the perturbed centroid off every centroid and the control's, and scale to length 1."""
    centre = training.perturbed_centroid
    centroids = training.perturbation_centroids.to_numpy(np.float64)
    residuals = np.vstack([centroids, training.control_centroid]) - centre
    lengths = np.linalg.norm(residuals, axis=1)
    n_cells = training.n_cells.to_numpy(np.float64)
    return Effects(
        perturbations=list(training.perturbation_centroids.index),
        perturbed_centroid=centre,
        directions=residuals / np.maximum(lengths, TINY)[:, None],
        lengths=lengths,
        shares=n_cells / n_cells.sum(),
    )


def relative_noise(effects: Effects) -> np.ndarray:
    """(n,) how badly each direction is measured, mean 1.

    The noise of a mean of cells has a variance in proportion to 1 / cells; in units of the length
    of the effect it is that of the direction.
    """
    noise = 1 / (effects.shares * np.maximum(effects.lengths[:-1], TINY) ** 2)
    noise = np.clip(noise / np.median(noise), *NOISE_RANGE)
    return noise / noise.mean()


def residual_gram(effects: Effects) -> np.ndarray:
    """(n + 1, n + 1) products of the residuals, the control's last."""
    return (effects.directions @ effects.directions.T) * np.outer(effects.lengths, effects.lengths)


def deviation_gram(effects: Effects) -> np.ndarray:
    """(n, n) products of the knock-outs' directions after their mean is taken off."""
    deviations = effects.directions[:-1] - effects.directions[:-1].mean(axis=0)
    return deviations @ deviations.T


def gram_without(gram: np.ndarray, shares: np.ndarray, left_out: int) -> np.ndarray:
    """Products of all residuals had knock-out `left_out` not been measured.

    Without it the perturbed centroid moves, so every residual gains the same multiple of the
    residual left out. That one is the truth to predict then, measured from the new centroid.

    Parameters
    ----------
    gram
        From `residual_gram`.
    shares
        (n,) shares of the perturbed cells.
    left_out
        Number of the knock-out.

    Returns
    -------
    (n + 1, n + 1), rows and columns as in `gram`.
    """
    # Leaving out a knock-out with a fifth of the cells moves the centre by a quarter of its
    # residual r, away from it: every residual x becomes x + r / 4, and x y becomes x y + (x r + y
    # r) / 4 + ...
    step = shares[left_out] / (1 - shares[left_out])
    row = step * gram[left_out]
    return gram + row[:, None] + row + step**2 * gram[left_out, left_out]


def principal_axes(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes of the knock-outs' deviations from their mean direction.

    Parameters
    ----------
    gram
        (n + 1, n + 1) products of the directions, the control's last.

    Returns
    -------
    (n,) variances, ascending, and (n, n) axes in columns.
    """
    knockouts = gram[:-1, :-1]
    means = knockouts.mean(axis=0)
    variances, axes = np.linalg.eigh(knockouts - means - means[:, None] + means.mean())
    return np.maximum(variances, 0.0), axes


def response_basis(variances: np.ndarray, axes: np.ndarray, response_ridge: float) -> np.ndarray:
    """B with B B' = G (G + ridge)^-1, (n, n), the ridge in units of the largest variance."""
    return axes * np.sqrt(variances / (variances + max(response_ridge * variances[-1], TINY)))
