"""Hold whole perturbations out: what train() would know without them, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL
from perturbation.data.dataset import Dataset
from perturbation.data.matrix import Sparse, stacked
from perturbation.data.summary import Summary, summarise, within
from perturbation.errors import InputError

SEED = 0


@dataclass(frozen=True)
class Truth:
    """What was measured of some perturbations; no predictor is given it.

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

    def of(self, perturbations: list[str]) -> Truth:
        """Return the truth about these alone, in this order."""
        rows = np.flatnonzero(np.isin(self.cell_labels, perturbations))
        return replace(
            self,
            centroids=self.centroids.loc[perturbations],
            cells=self.cells[rows],
            cell_labels=self.cell_labels[rows],
            proportions=self.proportions.loc[perturbations],
        )

    def cells_of(self, perturbation: str) -> np.ndarray:
        """(n, n_scored) float64, the first cells of one perturbation in file order."""
        return self.cells[self.cell_labels == perturbation].toarray().astype(np.float64)


def read_once(dataset: Dataset, scored: np.ndarray) -> tuple[Summary, Truth]:
    """Read X once: the summary that folds train on, and the truth about every perturbation.

    Parameters
    ----------
    dataset
        From `perturbation.data.dataset.open_dataset`.
    scored
        Columns of the genes that may be scored.

    Returns
    -------
    summary
        What train() sums up.
    truth
        Of all perturbations, without the controls.
    """
    columns = np.sort(scored)
    ranks = pd.Series(dataset.labels).groupby(dataset.labels).cumcount().to_numpy()
    is_knocked_out = dataset.labels != CONTROL_LABEL
    first = np.flatnonzero((ranks < CELLS_PER_PERTURBATION) & is_knocked_out)
    parts: list[Sparse] = []

    def watch(rows: slice, genes: slice, block: Sparse) -> None:
        part = block[within(first, rows)][:, within(columns, genes)]
        parts.append(part.astype(np.float32))

    summary = summarise(dataset, watch=watch)
    return summary, Truth(
        columns,
        summary.training.perturbation_centroids.iloc[:, columns],
        stacked(parts),
        dataset.labels[first],
        summary.training.proportions.drop(index=CONTROL_LABEL),
    )


def split(perturbations: list[str], n_folds: int, repeat: int) -> list[list[str]]:
    """Deal the perturbations, shuffled anew for every repeat, into folds of equal size.

    Raises
    ------
    InputError
        If a fold would be empty, or fewer than two would be left to train on.
    """
    if not 2 <= n_folds <= len(perturbations):
        raise InputError(
            f"--cv {n_folds}: there must be at least 2 folds and at most as many as the "
            f"{len(perturbations)} perturbations."
        )
    if len(perturbations) - -(-len(perturbations) // n_folds) < 2:
        raise InputError(
            f"--cv {n_folds}: of {len(perturbations)} perturbations, fewer than 2 would be left to "
            "train on."
        )
    order = np.random.default_rng([SEED, repeat]).permutation(len(perturbations))
    return [[perturbations[i] for i in order[fold::n_folds]] for fold in range(n_folds)]
