"""Effects of the training knock-outs, and the axes along which they differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from perturbation.data.summary import TrainingCentroids


class Axes(NamedTuple):
    """Principal components of effects.

    Attributes
    ----------
    scores
        (n_knockouts, n_axes); the largest of each axis is positive.
    genes
        (n_axes, n_genes) their directions, of length 1.
    shares
        (n_axes,) of the variance of the effects.
    """

    scores: pd.DataFrame
    genes: pd.DataFrame
    shares: np.ndarray


def effects_from(training: TrainingCentroids, centre: np.ndarray) -> pd.DataFrame:
    """(n_knockouts, n_genes) centroids minus `centre`; 0 for a target's own transcript."""
    effects = training.perturbation_centroids - centre
    for name in effects.index.intersection(effects.columns):
        effects.loc[name, name] = 0.0
    return effects


def axes_of(effects: pd.DataFrame, n_axes: int) -> Axes:
    """Find the first axes of effects (n_knockouts, n_genes)."""
    centred = effects - effects.mean()
    left, lengths, right = np.linalg.svd(centred.to_numpy(), full_matrices=False)
    scores = (left * lengths)[:, :n_axes]
    signs = np.where(scores.max(axis=0) >= -scores.min(axis=0), 1, -1)
    names = [f"axis {number + 1}" for number in range(scores.shape[1])]
    return Axes(
        pd.DataFrame(scores * signs, effects.index, names),
        pd.DataFrame(right[: len(names)] * signs[:, None], names, effects.columns),
        (lengths**2 / (lengths**2).sum())[: len(names)],
    )
