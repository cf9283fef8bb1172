"""resources/model.npz: what train() learnt, as plain versioned arrays."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.names import check_names
from perturbation.data.summary import Summary
from perturbation.errors import InputError, reason
from perturbation.files import as_path, whole_file

MODEL_FILE = "model.npz"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Model:
    """All that infer() needs of the training data.

    Attributes
    ----------
    genes
        (n_genes,) names of the columns, in the order of the training file.
    centroids
        (n_perturbations, n_genes) float64, log2(1 + counts per 100,000), NC not included.
    n_cells
        (n_perturbations,) cells of each knock-out.
    control_centroid
        (n_genes,) float64, mean of the NC cells.
    base_cells
        (100, n_genes) float32, the real cells that predictions are made of.
    proportions
        (n_perturbations + 1, 4), NC included.
    trained_on
        A sentence that says which data this is.
    """

    genes: np.ndarray
    centroids: pd.DataFrame
    n_cells: pd.Series
    control_centroid: np.ndarray
    base_cells: np.ndarray
    proportions: pd.DataFrame
    trained_on: str

    @classmethod
    def of(cls, summary: Summary, chosen: np.ndarray) -> "Model":
        """Keep of the summary what infer() needs; of its cells, the rows chosen."""
        n_cells = int(summary.n_cells.sum()) + summary.n_control_cells
        return cls(
            genes=summary.genes,
            centroids=summary.centroids,
            n_cells=summary.n_cells,
            control_centroid=summary.control_centroid,
            base_cells=summary.cells[chosen].toarray(),
            proportions=summary.proportions,
            trained_on=f"{n_cells:,} cells x {len(summary.genes):,} genes, "
            f"{len(summary.centroids):,} perturbations",
        )

    def columns_of(self, genes: Sequence[str]) -> np.ndarray:
        """(len(genes),) column of each gene.

        Raises
        ------
        InputError
            If the model was trained without some of them.
        """
        columns = pd.Index(self.genes).get_indexer(list(genes))
        if (columns < 0).any():
            unknown = [gene for gene, column in zip(genes, columns, strict=True) if column < 0]
            raise InputError(
                f"{len(unknown):,} of {len(genes):,} genes_to_predict are not in {MODEL_FILE}, "
                f"first: {', '.join(unknown[:2])}. It was trained on {self.trained_on}: if that "
                "is another size of the data, run train() again on the one at hand."
            )
        return columns


def save_model(model: Model, model_directory_path: str | Path) -> Path:
    """Write model.npz, whole or not at all; the same model gives the same bytes."""
    path = as_path(model_directory_path, "model_directory_path") / MODEL_FILE
    arrays = {
        "format_version": np.array(FORMAT_VERSION),
        "trained_on": np.array(model.trained_on),
        "genes": model.genes.astype(str),
        "perturbations": model.centroids.index.to_numpy(dtype=str),
        "centroids": model.centroids.to_numpy(np.float64),
        "n_cells": model.n_cells.to_numpy(np.int64),
        "control_centroid": model.control_centroid.astype(np.float64),
        "base_cells": model.base_cells.astype(np.float32),
        "proportion_labels": model.proportions.index.to_numpy(dtype=str),
        "proportions": model.proportions[list(PROGRAM_FLAGS)].to_numpy(np.float64),
    }
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)
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
    arrays = _read_arrays(path)
    _check_version(arrays, path)
    _check_arrays(arrays, path)
    _check_content(arrays, path)
    genes, perturbations = arrays["genes"], arrays["perturbations"]
    return Model(
        genes=genes,
        centroids=pd.DataFrame(arrays["centroids"], index=perturbations, columns=genes),
        n_cells=pd.Series(arrays["n_cells"], index=perturbations),
        control_centroid=arrays["control_centroid"],
        base_cells=arrays["base_cells"],
        proportions=pd.DataFrame(
            arrays["proportions"], index=arrays["proportion_labels"], columns=list(PROGRAM_FLAGS)
        ),
        trained_on=str(arrays["trained_on"]),
    )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path} cannot be read: it is no npz archive, or not whole. Run train() again."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except MemoryError:
        raise
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds
        raise InputError(f"{path} cannot be read ({reason(error)}). Run train() again.") from error


def _check_version(arrays: dict[str, np.ndarray], path: Path) -> None:
    version = arrays.get("format_version")
    if version is None or version.shape != () or version != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this code reads {FORMAT_VERSION}. "
            "Run train() again."
        )


def _check_arrays(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Every array is there, fits the others, and holds text or usable numbers."""
    n_genes, n_perturbations = (np.size(arrays.get(name)) for name in ("genes", "perturbations"))
    expected = {
        "trained_on": ("U", ()),
        "genes": ("U", (n_genes,)),
        "perturbations": ("U", (n_perturbations,)),
        "centroids": ("f", (n_perturbations, n_genes)),
        "n_cells": ("i", (n_perturbations,)),
        "control_centroid": ("f", (n_genes,)),
        "base_cells": ("f", (CELLS_PER_PERTURBATION, n_genes)),
        "proportion_labels": ("U", (n_perturbations + 1,)),
        "proportions": ("f", (n_perturbations + 1, len(PROGRAM_FLAGS))),
    }
    for name, (kind, shape) in expected.items():
        if name not in arrays:
            raise InputError(f"{path} has no array {name}. Run train() again.")
        array = arrays[name]
        if array.shape != shape:
            raise InputError(
                f"{path}: {name} is {array.shape}, expected {shape}. Run train() again."
            )
        if array.dtype.kind != kind:
            raise InputError(
                f"{path}: {name} holds {array.dtype}, expected "
                f"{'text' if kind == 'U' else 'numbers'}. Run train() again."
            )
        if kind != "U" and not (np.isfinite(array).all() and (array >= 0).all()):
            raise InputError(f"{path}: {name} holds NaN or negative values. Run train() again.")


def _check_content(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Names stand once, every knock-out has cells, and proportions are of the same knock-outs."""
    for name in ("genes", "perturbations", "proportion_labels"):
        check_names(arrays[name].tolist(), f"{name} of {path}")
    expected = {CONTROL_LABEL, *arrays["perturbations"].tolist()}
    if set(arrays["proportion_labels"].tolist()) != expected:
        raise InputError(f"{path}: its proportions are of other knock-outs. Run train() again.")
    if (arrays["n_cells"] == 0).any():
        raise InputError(f"{path} has knock-outs without cells. Run train() again.")
    if (arrays["proportions"] > 1).any():
        raise InputError(f"{path}: proportions must lie between 0 and 1. Run train() again.")
