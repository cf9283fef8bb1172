"""Hold whole perturbations out: a training summary without them, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CELLS_PER_PERTURBATION
from perturbation.dataset import open_dataset
from perturbation.errors import InputError
from perturbation.summary import N_CELLS_KEPT, Summary, spread_evenly, summarise

SEED = 0


@dataclass(frozen=True)
class FoldTruth:
    """What was measured of the held-out perturbations; no predictor is given it.

    Attributes
    ----------
    centroids
        (n_held_out, n_genes) float64, means of all their cells.
    cells
        (n, n_genes) float32, the first 100 cells of each in file order.
    cell_labels
        (n,) the perturbation of each.
    proportions
        (n_held_out, 4).
    """

    centroids: pd.DataFrame
    cells: sparse.csr_array
    cell_labels: np.ndarray
    proportions: pd.DataFrame


def summarise_with_truth(data: Path) -> Summary:
    """Read X once, keeping what train() keeps and the first 100 cells of every perturbation.

    Memory: about 8 bytes a stored value of these cells, 1.1 GB at the competition's full size.
    """
    return summarise(open_dataset(data), first_cells=CELLS_PER_PERTURBATION)


def split(perturbations: list[str], n_folds: int, repeat: int) -> list[list[str]]:
    """Deal the perturbations, shuffled anew for every repeat, into folds of equal size.

    Raises
    ------
    InputError
        If a fold would be empty, or nothing would be left to train on.
    """
    if not 2 <= n_folds <= len(perturbations):
        raise InputError(
            f"--cv {n_folds}: there must be at least 2 folds and at most as many as the "
            f"{len(perturbations)} perturbations."
        )
    order = np.random.default_rng([SEED, repeat]).permutation(len(perturbations))
    return [[perturbations[i] for i in order[fold::n_folds]] for fold in range(n_folds)]


def training_part(summary: Summary, held_out: list[str]) -> Summary:
    """Return what train() would know had these never been measured.

    Of the cells, those that train() keeps: spread evenly over the rows of each label.
    """
    n_cells = summary.n_cells.reindex(summary.cell_labels).fillna(summary.n_control_cells)
    of_a_label = N_CELLS_KEPT / (len(summary.n_cells) + 1)
    kept = spread_evenly(summary.cell_ranks, n_cells.to_numpy(), of_a_label)
    return summary.with_cells(np.flatnonzero(kept)).without(held_out)


def truth_part(summary: Summary, held_out: list[str]) -> FoldTruth:
    """Return what was measured of the held-out perturbations."""
    is_first = summary.cell_ranks < CELLS_PER_PERTURBATION
    rows = np.flatnonzero(np.isin(summary.cell_labels, held_out) & is_first)
    return FoldTruth(
        summary.centroids.loc[held_out],
        summary.cells[rows],
        summary.cell_labels[rows],
        summary.proportions.loc[held_out],
    )
