"""The cells that the organisers hold out for local tests, answers for them, and their scores."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.reading import cells_of, columns_in, read_names, read_uns
from evaluation.scoring.metrics import METRICS, l1_distance, mmd, pearson_delta
from perturbation import competition
from perturbation.data.h5ad import open_cells
from perturbation.data.proportions import read_proportions, read_written_proportions
from perturbation.errors import InputError

Answer = tuple[Iterable[np.ndarray], pd.DataFrame]
"""Cells (n, n_genes) of each perturbation in turn, and proportions (n_perturbations, 4)."""


@dataclass(frozen=True)
class LocalTruth:
    """What is known of the held-out perturbations.

    Attributes
    ----------
    perturbations
        Their names, in the order of the table of proportions: what `crunch test` asks for.
    genes
        (n_genes,) names of the scored genes, in the order of genes_to_predict.txt.
    cells_of
        From a perturbation to its true cells (n, n_genes) float64, in file order.
    control_centroid, perturbed_centroid
        (n_genes,) float64, of the training cells.
    proportions
        (n_perturbations, 4) true proportions.
    control_proportions
        (4,) of the controls.
    """

    perturbations: list[str]
    genes: list[str]
    cells_of: Callable[[str], np.ndarray]
    control_centroid: np.ndarray
    perturbed_centroid: np.ndarray
    proportions: pd.DataFrame
    control_proportions: pd.Series


def read_local_truth(data: Path) -> LocalTruth:
    """Open the local ground truth of a data directory.

    Raises
    ------
    InputError
        If a file is missing, or the files do not belong together.
    """
    genes = read_names(data / competition.GENES_FILE)
    proportions = read_proportions(data / competition.LOCAL_PROPORTIONS_FILE)
    file = open_cells(data / competition.LOCAL_TRUTH_FILE)
    columns = columns_in(file, genes, data / competition.GENES_FILE)
    if missing := sorted(set(proportions.index) ^ set(file.labels)):
        raise InputError(
            f"{data / competition.LOCAL_PROPORTIONS_FILE} and obs['gene'] of {file.path} name "
            f"different knock-outs, first: {missing[0]}. Both must come from one download."
        )
    for _ in file.blocks():  # values are checked now, not after minutes of training
        pass
    return LocalTruth(
        list(proportions.index),
        genes,
        lambda perturbation: cells_of(file, perturbation, columns),
        read_uns(file, "control_centroid_train")[columns],
        read_uns(file, "perturbed_centroid_train")[columns],
        proportions,
        read_proportions(data / competition.PROPORTIONS_FILE).T[competition.CONTROL_LABEL],
    )


def written_answer(directory: Path, perturbations: Sequence[str], genes: Sequence[str]) -> Answer:
    """Return what a prediction directory says of these, the columns those genes."""
    file = open_cells(directory / competition.PREDICTION_FILE, any_values=True)
    columns = columns_in(file, genes, Path(competition.GENES_FILE))
    proportions = read_written_proportions(directory / competition.PREDICTED_PROPORTIONS_FILE)
    cells = (cells_of(file, perturbation, columns) for perturbation in perturbations)
    return cells, proportions.loc[list(perturbations)]


def constant_answer(truth: LocalTruth) -> Answer:
    """Return the organisers' constant: 100 times the control centroid, the controls' proportions.

    Their quickstarter writes it with the columns in a wrong order; here they are right.
    """
    cells = np.tile(truth.control_centroid, (competition.CELLS_PER_PERTURBATION, 1))
    n = len(truth.perturbations)
    return repeat(cells, n), pd.DataFrame([truth.control_proportions] * n, truth.perturbations)


def score_answer(truth: LocalTruth, answer: Answer, panels: list[np.ndarray]) -> pd.DataFrame:
    """Score every perturbation, mean over panels.

    Parameters
    ----------
    panels
        Each an array of positions in ``truth.genes``.

    Returns
    -------
    DataFrame (n_perturbations, 3), index perturbation, columns `METRICS`.
    """
    centroid, (cells, proportions) = truth.perturbed_centroid, answer
    scores = {}
    for name, predicted in zip(truth.perturbations, cells, strict=True):
        true = truth.cells_of(name)
        pairs = [(panel, true[:, panel], predicted[:, panel]) for panel in panels]
        scores[name] = (
            np.mean([pearson_delta(t, p, centroid[panel]) for panel, t, p in pairs]),
            np.mean([mmd(t, p) for _, t, p in pairs]),
            l1_distance(truth.proportions.T[name], proportions.T[name]),
        )
    return pd.DataFrame.from_dict(scores, orient="index", columns=list(METRICS))
