"""Hold whole perturbations out: what all folds share, and who is held out of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from evaluation.crossval.contenders import Contender
from evaluation.reading import columns_in, read_names
from evaluation.scoring.panels import Panel
from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL, GENES_FILE
from perturbation.data.dataset import open_dataset
from perturbation.data.matrix import GrowingMatrix, Sparse
from perturbation.data.summary import Summary, summarise, within
from perturbation.errors import InputError
from perturbation.model.gene_features import GeneFeatures

SEED = 0


@dataclass(frozen=True)
class Settings:
    """How perturbations are held out and scored.

    Attributes
    ----------
    n_folds, n_repeats
        Perturbations are dealt into folds, anew for every repeat.
    panel
        See `evaluation.scoring.panels.draw_panels`; drawn anew for every fold.
    pictures
        Whether to keep what the report shows of single knock-outs.
    """

    n_folds: int
    n_repeats: int = 1
    panel: Panel = ("variable", 1000, 3)
    pictures: bool = False


@dataclass(frozen=True)
class Truth:
    """What was measured of the perturbations; no predictor is given it.

    Attributes
    ----------
    columns
        (n_scored,) columns of the genes that may be scored, ascending.
    centroids
        (n_perturbations, n_scored) float64, means of all their cells.
    cells
        (n, n_scored) float32, the first 100 cells of each in file order.
    cell_labels
        (n,) the perturbation of each.
    proportions
        (n_perturbations, 4).
    """

    columns: np.ndarray
    centroids: pd.DataFrame
    cells: sparse.csr_array
    cell_labels: np.ndarray
    proportions: pd.DataFrame

    def cells_of(self, perturbation: str) -> np.ndarray:
        """(n, n_scored) float64, the first cells of one perturbation in file order."""
        return self.cells[self.cell_labels == perturbation].toarray().astype(np.float64)


@dataclass(frozen=True)
class SharedData:
    """What all folds share.

    Attributes
    ----------
    summary
        What train() would sum up of all training data.
    truth
        About every perturbation.
    settings
        What to do.
    contenders
        Submissions that fit() and predict() are asked for, each with its gene features, the
        reference first; black boxes are not among them.
    """

    summary: Summary
    truth: Truth
    settings: Settings
    contenders: dict[Contender, GeneFeatures]


@dataclass(frozen=True)
class Fold:
    """One fold of one repeat."""

    repeat: int
    number: int
    held_out: list[str]


def read_shared(
    data: Path, settings: Settings, contenders: dict[Contender, GeneFeatures] | None = None
) -> SharedData:
    """Read the training cells once: the summary that folds train on, and the truth.

    Parameters
    ----------
    data
        The competition's data directory.
    settings, contenders
        As in `SharedData`.

    Raises
    ------
    InputError
        If X or a table cannot be used, or genes to predict are not among the training file's.
    """
    dataset = open_dataset(data)
    columns = np.sort(columns_in(dataset, read_names(data / GENES_FILE), data / GENES_FILE))
    ranks = pd.Series(dataset.labels).groupby(dataset.labels).cumcount().to_numpy()
    is_first = ranks < CELLS_PER_PERTURBATION
    first = np.flatnonzero(is_first & (dataset.labels != CONTROL_LABEL))
    cells = GrowingMatrix()

    def watch(rows: slice, genes: slice, block: Sparse) -> None:
        cells.add(block[within(first, rows)][:, within(columns, genes)])

    summary = summarise(dataset, watch=watch)
    truth = Truth(
        columns,
        summary.training.perturbation_centroids.iloc[:, columns],
        cells.matrix((len(first), len(columns))),
        dataset.labels[first],
        summary.training.proportions.drop(index=CONTROL_LABEL),
    )
    return SharedData(summary, truth, settings, contenders or {})


def all_folds(perturbations: Sequence[str], settings: Settings) -> list[Fold]:
    """Deal the perturbations, shuffled anew for every repeat, into folds of equal size.

    Raises
    ------
    InputError
        If a fold would be empty, or fewer than two would be left to train on.
    """
    n, n_folds = len(perturbations), settings.n_folds
    if not 2 <= n_folds <= n or n - -(-n // n_folds) < 2:
        raise InputError(
            f"--cv {n_folds}: there must be at least 2 folds, at most as many as the {n} "
            "perturbations, and at least 2 perturbations left to train on."
        )
    folds = []
    for repeat in range(settings.n_repeats):
        names = np.random.default_rng([SEED, repeat]).permutation(perturbations).tolist()
        folds += [Fold(repeat, number, names[number::n_folds]) for number in range(n_folds)]
    return folds
