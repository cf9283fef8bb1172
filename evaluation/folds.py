"""Hold whole perturbations out: a training summary without them, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CELLS_PER_PERTURBATION
from perturbation.dataset import open_dataset
from perturbation.errors import InputError
from perturbation.summary import Summary, summarise

SEED = 0
N_CANDIDATES = 4_000
"""Training cells that a fold chooses from: as many as train() keeps."""


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
    """Read X once, keeping the first 100 cells of every perturbation: enough for all folds.

    Memory: about 8 bytes a stored value of these cells, 0.8 GB at the competition's full size.
    """
    dataset = open_dataset(data)
    n_labels = len(np.unique(dataset.labels))
    return summarise(
        dataset,
        n_cells_kept=n_labels * CELLS_PER_PERTURBATION,
        among_first=CELLS_PER_PERTURBATION,
    )


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

    The cells are those among which train() chooses where cells stand by pool: about
    `N_CANDIDATES`, as many of each label, spread over its first 100 in file order.
    """
    n_labels = len(summary.n_cells) + 1 - len(held_out)
    return thinned(summary, n_labels, held_out).without(held_out)


def thinned(summary: Summary, n_labels: int, leave_out: list[str]) -> Summary:
    """Keep `N_CANDIDATES / n_labels` cells of each label, evenly spread, none of `leave_out`."""
    by_label = pd.Series(summary.cell_labels).groupby(summary.cell_labels)
    rank, size = by_label.cumcount(), by_label.transform("size")
    step = (size * n_labels / N_CANDIDATES).clip(lower=1)
    is_kept = (rank // step > (rank - 1) // step) & ~pd.Series(summary.cell_labels).isin(leave_out)
    rows = np.flatnonzero(is_kept)
    return replace(
        summary,
        cells=summary.cells[rows],
        cell_labels=summary.cell_labels[rows],
        cell_programs=summary.cell_programs.iloc[rows].reset_index(drop=True),
    )


def truth_part(summary: Summary, held_out: list[str]) -> FoldTruth:
    """Return what was measured of the held-out perturbations."""
    rows = np.flatnonzero(np.isin(summary.cell_labels, held_out))
    return FoldTruth(
        summary.centroids.loc[held_out],
        summary.cells[rows],
        summary.cell_labels[rows],
        summary.proportions.loc[held_out],
    )
