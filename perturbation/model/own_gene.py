"""Where a knocked-out gene lies in the training data: its level, and its response to the others.

As in the organisers' regression (after Ahlmann-Eltze, Huber and Anders 2025) a target is described
by its own row of the data alone: its level in control cells, how much more of it the cells at the
end of the process have than those at its start, and its loadings on the principal axes of the
training effects. So even a gene of which nothing is known can be told from others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from perturbation.data.centroids import TrainingCentroids
from perturbation.model.effects import TINY, Effects
from perturbation.model.gene_kernels import END, START

N_AXES = 10
SMALLEST_SPREAD = 1e-6
"""Levels that differ by less are equal, log2(1 + counts per 100,000)."""


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


def own_genes(
    training: TrainingCentroids, effects: Effects, targets: Sequence[str] = ()
) -> OwnGene:
    """Take the genes of the training knock-outs, and those of `targets` behind them."""
    names = effects.perturbations
    columns = pd.Index(training.genes).get_indexer(pd.Index([*names, *targets]))
    is_measured = columns >= 0
    programs = training.program_centroids
    change = (programs.loc[END] - programs.loc[START]).to_numpy()
    levels = np.stack([training.control_centroid, change])[:, columns].T
    known = levels[: len(names)][is_measured[: len(names)]]
    if len(known):
        levels = (levels - known.mean(axis=0)) / np.maximum(known.std(axis=0), SMALLEST_SPREAD)
    return OwnGene(levels * is_measured[:, None], effects.directions[:-1, columns] * is_measured)
