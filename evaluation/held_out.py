"""A training set in which some knock-outs were never measured."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perturbation.data.summary import Summary, TrainingCentroids


def centroids_without(
    training: TrainingCentroids, perturbations: Sequence[str]
) -> TrainingCentroids:
    """Return the centroids, numbers of cells and proportions of the others."""
    names = list(perturbations)
    return replace(
        training,
        perturbation_centroids=training.perturbation_centroids.drop(index=names),
        n_cells=training.n_cells.drop(index=names),
        proportions=training.proportions.drop(index=names),
    )


def summary_without(summary: Summary, perturbations: Sequence[str]) -> Summary:
    """Return the centroids and the kept cells of the others."""
    others = np.flatnonzero(~np.isin(summary.cell_labels, list(perturbations)))
    return replace(
        summary,
        training=centroids_without(summary.training, perturbations),
        cells=summary.cells[others],
        cell_labels=summary.cell_labels[others],
        cell_programs=summary.cell_programs.iloc[others].reset_index(drop=True),
    )
