"""Training effects as directions, their axes, and what they say of a knocked-out gene itself.

As in the organisers' regression (after Ahlmann-Eltze, Huber and Anders 2025) a target is described
by its own row of the data alone: its level in control cells, how much more of it the cells at the
end of the process have than those at its start, and its loadings on the principal axes of the
training effects. So even a gene of which nothing is known can be told from others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from perturbation.data.summary import TrainingCentroids
from perturbation.model.gene_kernels import END, START

TINY = 1e-12
"""Lengths and variances below it are rounding; what is divided by them would be noise."""
NOISE_RANGE = (0.2, 5.0)
"""A direction counts as at most so much less or more noisy than the median one."""
N_AXES = 10


@dataclass(frozen=True)
class Effects:
    """Residuals from the perturbed centroid, each split into a direction and a length.

    Attributes
    ----------
    directions
        (n + 1, n_genes) of unit length; the last is that of the control, zero without controls.
    lengths
        (n + 1,) of the residuals, unit of the centroids.
    shares
        (n,) share of the perturbed cells that are of each knock-out.
    """

    directions: np.ndarray
    lengths: np.ndarray
    shares: np.ndarray


def effects_of(training: TrainingCentroids) -> Effects:
    """Take the perturbed centroid off every centroid and the control's, and scale to length 1."""
    measured = np.vstack([training.perturbation_centroids, training.control_centroid])
    residuals = measured - training.perturbed_centroid
    lengths = np.linalg.norm(residuals, axis=1)
    n_cells = training.n_cells.to_numpy(np.float64)
    return Effects(
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


@dataclass(frozen=True)
class OwnGene:
    """The columns of the data that belong to some genes, the training knock-outs' first.

    Attributes
    ----------
    levels
        (m, 2) level in control cells, and end minus start of the process, each standardised over
        the training knock-outs that are measured; 0 for a gene that is not.
    directions
        (n, m) directions of the training effects at these genes; 0 likewise.
    """

    levels: np.ndarray
    directions: np.ndarray

    def kernel(self, directions: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """Products of the descriptions of all genes with those of the training knock-outs.

        Parameters
        ----------
        directions
            (k, m) directions of training effects at the genes; k is n, or fewer.
        axes
            (k, k) their principal directions in columns, the largest last.

        Returns
        -------
        (m, n).
        """
        n = len(self.directions)
        # A gene's loadings: how it responds along the axes, largest where the axis is. They count
        # as much as the two levels when their mean square over the training knock-outs is 1 in all.
        loadings = (directions - directions.mean(axis=0)).T @ axes[:, -N_AXES:]
        size = np.sqrt((loadings[:n] ** 2).sum(axis=1).mean())
        features = np.hstack([self.levels, loadings / max(size, TINY)])
        return features @ features[:n].T


def own_genes(training: TrainingCentroids, effects: Effects, others: Sequence[str] = ()) -> OwnGene:
    """Take the genes of the training knock-outs, and those of `others` behind them."""
    names = training.perturbation_centroids.index
    columns = pd.Index(training.genes).get_indexer(pd.Index([*names, *others]))
    is_measured = columns >= 0
    programs = training.program_centroids
    change = (programs.loc[END] - programs.loc[START]).to_numpy()
    levels = np.stack([training.control_centroid, change])[:, columns].T
    known = levels[: len(names)][is_measured[: len(names)]]
    if len(known):
        levels = (levels - known.mean(axis=0)) / np.maximum(known.std(axis=0), TINY)
    return OwnGene(levels * is_measured[:, None], effects.directions[:-1, columns] * is_measured)
