"""A closer look at the best, the median and the worst knock-out of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.crossval.comparison import by_perturbation
from evaluation.crossval.fast import FoldAnswers, Material, all_folds, predict_fold
from evaluation.scoring.metrics import mmd, pearson_delta


@dataclass(frozen=True)
class Example:
    """The shipped predictor's answer for one knock-out, in the first repeat and on its first panel.

    Attributes
    ----------
    perturbation
        Its name.
    genes
        (n_genes,) of the panel.
    observed_delta, predicted_delta
        (n_genes,) delta_from_perturbed, log2(1 + counts per 100,000).
    true_cells, predicted_cells
        (n, 2) on the first two principal components of both together.
    pearson_delta, mmd
        Its scores.
    """

    perturbation: str
    genes: list[str]
    observed_delta: np.ndarray
    predicted_delta: np.ndarray
    true_cells: np.ndarray
    predicted_cells: np.ndarray
    pearson_delta: float
    mmd: float


def best_median_worst(scores: pd.DataFrame, look: Callable[[str], Example]) -> dict[str, Example]:
    """Return an example for each rank by the shipped predictor's Pearson delta."""
    ranked = by_perturbation(scores)["pearson_delta"].iloc[:, 0].sort_values(ascending=False).index
    ranks = {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}
    return {rank: look(name) for rank, name in ranks.items()}


def example(material: Material, perturbation: str) -> Example:
    """Predict once more the fold that held the perturbation out."""
    folds = all_folds(material.summary, material.settings)
    fold = next(fold for fold in folds if perturbation in fold.held_out)
    answers = predict_fold(material, material.summary.without(fold.held_out), fold)
    asked = answers.of[material.settings.contenders[0].name][0]
    rows = dict(zip(fold.held_out, (block.copy() for block in asked), strict=True))[perturbation]
    return example_of(material, answers, perturbation, rows)


def example_of(
    material: Material, answers: FoldAnswers, perturbation: str, rows: np.ndarray
) -> Example:
    """Hold the cells predicted, (100, n_scored), against the true ones on the first panel."""
    truth = material.truth.of([perturbation])
    panel = answers.panels[0]
    here = np.searchsorted(truth.columns, panel)
    cells, true_cells = rows[:, here], truth.cells_of(perturbation)[:, here]
    true_mean, centre = truth.centroids.to_numpy()[:, here], answers.perturbed_centroid[panel]
    return Example(
        perturbation,
        list(material.summary.training.genes[panel]),
        true_mean[0] - centre,
        cells.mean(axis=0, dtype=np.float64) - centre,
        *_two_components(true_cells, cells),
        pearson_delta(true_mean, cells, centre),
        mmd(true_cells, cells),
    )


def _two_components(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    both = np.concatenate([first, second]).astype(np.float64)
    centred = both - both.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    projected = left[:, :2] * singular[:2]
    return projected[: len(first)], projected[len(first) :]
