"""resources/model.npz: what train() learnt, as plain versioned arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import PROGRAM_FLAGS
from perturbation.data.names import columns_of
from perturbation.data.summary import TrainingCentroids
from perturbation.errors import InputError
from perturbation.files import as_path, read_npz, whole_file

MODEL_FILE = "model.npz"
FORMAT_VERSION = 3
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
    proportions = model.training.proportions[list(PROGRAM_FLAGS)]
    arrays = {"format_version": np.array(FORMAT_VERSION), "base_cells": model.base_cells}
    for name, value in vars(replace(model.training, proportions=proportions)).items():
        arrays[name] = np.asarray(value)
        if isinstance(value, pd.DataFrame | pd.Series):
            arrays[f"{name}.index"] = value.index.to_numpy(dtype=str)
    kept = {KEPT + name: np.asarray(array) for name, array in model.kept.items()}
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
    if str(version) != str(FORMAT_VERSION):
        raise InputError(
            f"{path} has format version {version}, this code reads {FORMAT_VERSION}. "
            "Run train() again."
        )

    def table(name: str, columns: np.ndarray | list[str]) -> pd.DataFrame:
        return pd.DataFrame(arrays[name], arrays[f"{name}.index"], columns)

    training = TrainingCentroids(
        genes=arrays["genes"],
        perturbation_centroids=table("perturbation_centroids", arrays["genes"]),
        n_cells=pd.Series(arrays["n_cells"], arrays["n_cells.index"]),
        control_centroid=arrays["control_centroid"],
        n_control_cells=int(arrays["n_control_cells"]),
        program_centroids=table("program_centroids", arrays["genes"]),
        proportions=table("proportions", list(PROGRAM_FLAGS)),
    )
    kept = {name.removeprefix(KEPT): a for name, a in arrays.items() if name.startswith(KEPT)}
    return Model(training, arrays["base_cells"], kept)
