"""The cells that the organisers hold out for tests on one's own machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.reading import cells_of, columns_in, read_names, read_uns
from perturbation.competition import (
    GENES_FILE,
    LOCAL_PROPORTIONS_FILE,
    LOCAL_TRUTH_FILE,
    PROPORTIONS_FILE,
)
from perturbation.data.h5ad import open_cells
from perturbation.data.proportions import read_proportions
from perturbation.errors import InputError

CellsOf = Callable[[str], np.ndarray]
"""From a perturbation to its cells (n, n_scored_genes)."""


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
    training_proportions
        (n_training + 1, 4) those of training, NC included.
    """

    perturbations: list[str]
    genes: list[str]
    cells_of: CellsOf
    control_centroid: np.ndarray
    perturbed_centroid: np.ndarray
    proportions: pd.DataFrame
    training_proportions: pd.DataFrame


def read_local_truth(data: Path) -> LocalTruth:
    """Open the local ground truth of a data directory.

    Raises
    ------
    InputError
        If a file is missing, or the files do not belong together.
    """
    genes = read_names(data / GENES_FILE)
    proportions = read_proportions(data / LOCAL_PROPORTIONS_FILE)
    file = open_cells(data / LOCAL_TRUTH_FILE)
    columns = columns_in(file, genes, data / GENES_FILE)
    missing = sorted(set(proportions.index) ^ set(file.labels))
    if missing:
        raise InputError(
            f"{data / LOCAL_PROPORTIONS_FILE} and obs['gene'] of {file.path} name different "
            f"knock-outs, first: {missing[0]}. Both must come from one download."
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
        read_proportions(data / PROPORTIONS_FILE),
    )
