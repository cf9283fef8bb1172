"""resources/model.npz: what train() learnt, as plain versioned arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.data.names import columns_of
from perturbation.errors import InputError
from perturbation.files import as_path, read_npz, whole_file

MODEL_FILE = "model.npz"
FORMAT_VERSION = 2
KEPT = "kept."
"""What the names of a user's own arrays start with in the file."""


@dataclass(frozen=True, repr=False)
class Model:
    """All that infer() needs of the training data.

    Attributes
    ----------
    training
        Centroids and proportions.
    base_cells
        (100, n_genes) float32, the cells that predictions are made of.
    kept
        Arrays of your own by name, numbers or text: what fit() learnt and predict() needs.
    """

    training: TrainingCentroids
    base_cells: np.ndarray
    kept: dict[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Model({self.training.description})"

    def columns_of(self, genes: Sequence[str]) -> np.ndarray:
        """(len(genes),) column of each gene.

        Raises
        ------
        InputError
            If the model was trained without some of them.
        """
        cure = (
            f"It was trained on {self.training.description}: if that is another size of the data, "
            "run train() again on the one at hand."
        )
        return columns_of(self.training.genes, genes, "genes_to_predict", MODEL_FILE, cure)


def save_model(model: Model, model_directory_path: str | Path) -> Path:
    """Write model.npz, whole or not at all; the same model gives the same bytes."""
    path = as_path(model_directory_path, "model_directory_path") / MODEL_FILE
    training = model.training
    arrays = {
        "format_version": np.array(FORMAT_VERSION),
        "genes": training.genes.astype(str),
        "perturbations": training.perturbation_centroids.index.to_numpy(dtype=str),
        "perturbation_centroids": training.perturbation_centroids.to_numpy(np.float64),
        "n_cells": training.n_cells.to_numpy(np.int64),
        "control_centroid": training.control_centroid.astype(np.float64),
        "n_control_cells": np.array(training.n_control_cells),
        "program_centroids": training.program_centroids.to_numpy(np.float64),
        "proportion_labels": training.proportions.index.to_numpy(dtype=str),
        "proportions": training.proportions[list(PROGRAM_FLAGS)].to_numpy(np.float64),
        "base_cells": model.base_cells.astype(np.float32),
    }
    kept = {KEPT + name: np.asarray(array) for name, array in model.kept.items()}
    if pickled := [name for name, array in kept.items() if array.dtype.hasobject]:
        raise InputError(
            f"{pickled[0].removeprefix(KEPT)} in Model.kept is an array of Python objects; keep "
            "numbers or text, which need no pickle."
        )
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **(arrays | kept))
    return path


def load_model(model_directory_path: str | Path) -> Model:
    """Read model.npz and check it.

    Raises
    ------
    InputError
        If there is none yet, it is broken, or another version of this code wrote it.
    """
    path = as_path(model_directory_path, "model_directory_path") / MODEL_FILE
    if not path.is_file():
        raise InputError(
            f"{path} is missing: no model was trained yet. Run train() first (`crunch test` does, "
            "and `python local_test.py` with the competition's files in data/), or ask for "
            "training in the cloud."
        )
    arrays = read_npz(path, "Run train() again.")
    version = arrays.get("format_version")
    if version is None or version.shape != () or version != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this code reads {FORMAT_VERSION}. "
            "Run train() again."
        )
    genes, perturbations = arrays["genes"], arrays["perturbations"]
    flags = list(PROGRAM_FLAGS)
    training = TrainingCentroids(
        genes=genes,
        perturbation_centroids=pd.DataFrame(
            arrays["perturbation_centroids"], index=perturbations, columns=genes
        ),
        n_cells=pd.Series(arrays["n_cells"], index=perturbations),
        control_centroid=arrays["control_centroid"],
        n_control_cells=int(arrays["n_control_cells"]),
        program_centroids=pd.DataFrame(arrays["program_centroids"], flags, genes),
        proportions=pd.DataFrame(arrays["proportions"], arrays["proportion_labels"], flags),
    )
    kept = {name.removeprefix(KEPT): a for name, a in arrays.items() if name.startswith(KEPT)}
    return Model(training, arrays["base_cells"], kept)
