"""The competition's data directory with fewer cells, and without the knock-outs of a fold."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from evaluation.whole.cells_file import copy_cells
from perturbation.competition import (
    CONTROL_LABEL,
    GENES_FILE,
    LOCAL_PROPORTIONS_FILE,
    LOCAL_TRUTH_FILE,
    PERTURBATIONS_FILE,
    PROPORTIONS_FILE,
    TRAINING_FILE,
)
from perturbation.data.centroids import TrainingCentroids
from perturbation.data.dataset import open_dataset
from perturbation.data.h5ad import open_cells
from perturbation.data.summary import spread_evenly

SIGNATURE_FILE = "signature_genes.csv"
TABLES = (PROPORTIONS_FILE, LOCAL_PROPORTIONS_FILE)


def thinned(labels: np.ndarray, cells_per_perturbation: int) -> np.ndarray:
    """(n_cells,) bool: all controls, and so many cells of each knock-out, spread over its rows.

    Parameters
    ----------
    labels
        (n_cells,) knocked-out gene of every cell, in file order.
    cells_per_perturbation
        Cells to keep of a knock-out; all, if it has no more.
    """
    return spread_evenly(labels, cells_per_perturbation) | (labels == CONTROL_LABEL)


def write_thinned(data: Path, out: Path, kept: np.ndarray) -> Path:
    """Write a data directory with the kept training cells and all other files; return it."""
    out.mkdir()
    copy_cells(data / TRAINING_FILE, out / TRAINING_FILE, kept)
    _copy_files(data, out, *TABLES, GENES_FILE, SIGNATURE_FILE, LOCAL_TRUTH_FILE)
    return out


def write_fold(data: Path, out: Path, held_out: Sequence[str], training: TrainingCentroids) -> None:
    """Write the data directory of a fold: the competition's, had nobody measured the held-out.

    Parameters
    ----------
    data
        The directory whose files the fold has, but for the held-out.
    out
        The directory to write. Its list of perturbations to predict holds the held-out.
    held_out
        Knock-outs that leave no other trace.
    training
        What the fold's training cells say: the centroids beside the local ground truth.
    """
    out.mkdir()
    kept = ~np.isin(open_dataset(data).labels, held_out)
    copy_cells(data / TRAINING_FILE, out / TRAINING_FILE, kept)
    _copy_files(data, out, *TABLES, GENES_FILE, SIGNATURE_FILE)
    for table in {out / name for name in TABLES} & {*out.iterdir()}:
        rows = pd.read_csv(table, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        rows[~rows["gene"].isin(held_out)].to_csv(table, index=False)
    (out / PERTURBATIONS_FILE).write_text("\n".join(held_out) + "\n", encoding="utf-8")
    if (data / LOCAL_TRUTH_FILE).is_file():
        _write_local_truth(data / LOCAL_TRUTH_FILE, out / LOCAL_TRUTH_FILE, held_out, training)


def _copy_files(data: Path, out: Path, *names: str) -> None:
    for name in names:
        if (data / name).is_file():
            shutil.copy(data / name, out)


def _write_local_truth(
    truth: Path, out: Path, held_out: Sequence[str], training: TrainingCentroids
) -> None:
    """The organisers' own held-out cells; the centroids that stand with them tell of the fold."""
    cells = open_cells(truth)
    copy_cells(truth, out, ~np.isin(cells.labels, held_out))
    centroids = {
        "control_centroid_train": training.control_centroid,
        "perturbed_centroid_train": training.perturbed_centroid,
    }
    with h5py.File(out, "r+") as file:
        for name, centroid in centroids.items():
            of_genes = pd.Series(centroid, training.genes)[cells.genes].to_numpy()
            ad.io.write_elem(file.require_group("uns"), name, of_genes)
