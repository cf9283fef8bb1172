"""Answers for the local ground truth, from a prediction directory or constant, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.local.truth import CellsOf, LocalTruth
from evaluation.reading import cells_of, columns_in
from evaluation.scoring.metrics import METRICS, has_direction, l1_distance, mmd, pearson_delta
from perturbation.competition import (
    CELLS_PER_PERTURBATION,
    CONTROL_LABEL,
    GENES_FILE,
    PREDICTED_PROPORTIONS_FILE,
    PREDICTION_FILE,
)
from perturbation.data.h5ad import open_cells
from perturbation.data.proportions import read_written_proportions


@dataclass(frozen=True)
class Answer:
    """A prediction to score: cells of each perturbation on the scored genes, and proportions."""

    cells_of: CellsOf
    proportions: pd.DataFrame


def written_answer(directory: Path, genes: Sequence[str]) -> Answer:
    """Return what stands in a prediction directory, the columns those genes."""
    file = open_cells(directory / PREDICTION_FILE, any_values=True)
    columns = columns_in(file, genes, Path(GENES_FILE))
    return Answer(
        lambda perturbation: cells_of(file, perturbation, columns),
        read_written_proportions(directory / PREDICTED_PROPORTIONS_FILE),
    )


def constant_answer(truth: LocalTruth) -> Answer:
    """Return the organisers' constant: 100 times the control centroid, the controls' proportions.

    Their quickstarter writes it with the columns in a wrong order; here they are right.
    """
    row = truth.training_proportions.loc[[CONTROL_LABEL] * len(truth.perturbations)]
    cells = np.tile(truth.control_centroid, (CELLS_PER_PERTURBATION, 1))
    return Answer(lambda perturbation: cells, row.set_axis(truth.perturbations))


def score_answer(truth: LocalTruth, answer: Answer, panels: list[np.ndarray]) -> pd.DataFrame:
    """Score every perturbation, mean over panels.

    Parameters
    ----------
    panels
        Each an array of positions in ``truth.genes``.

    Returns
    -------
    DataFrame, index perturbation, columns pearson_delta, mmd, l1 and has_direction (bool).
    """
    scores = {name: _score_one(truth, answer, name, panels) for name in truth.perturbations}
    return pd.DataFrame.from_dict(scores, orient="index")


def _score_one(
    truth: LocalTruth, answer: Answer, perturbation: str, panels: list[np.ndarray]
) -> dict[str, float]:
    true, predicted = truth.cells_of(perturbation), answer.cells_of(perturbation)
    centroid = truth.perturbed_centroid
    scores = [
        (
            pearson_delta(true[:, panel], predicted[:, panel], centroid[panel]),
            mmd(true[:, panel], predicted[:, panel]),
            has_direction(predicted[:, panel], centroid[panel]),
        )
        for panel in panels
    ]
    pearson, mmds, directed = zip(*scores, strict=True)
    shares = [table.T[perturbation] for table in (truth.proportions, answer.proportions)]
    values = (float(np.mean(pearson)), float(np.mean(mmds)), l1_distance(*shares))
    return dict(zip(METRICS, values, strict=True)) | {"has_direction": all(directed)}
