"""resources/model.npz: what train() learnt, as plain versioned arrays."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.errors import InputError
from perturbation.files import whole_file
from perturbation.summary import Summary

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
    def of(cls, summary: Summary, base_cells: np.ndarray) -> "Model":
        """Keep of the summary what infer() needs, and the cells chosen."""
        n_cells = int(summary.n_cells.sum()) + summary.n_control_cells
        return cls(
            genes=summary.genes,
            centroids=summary.centroids,
            n_cells=summary.n_cells,
            control_centroid=summary.control_centroid,
            base_cells=base_cells,
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
    path = Path(model_directory_path) / MODEL_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
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
    path = Path(model_directory_path) / MODEL_FILE
    if not path.is_file():
        raise InputError(
            f"{path} is missing: no model was trained yet. Run train() first "
            "(`crunch test` and `python local_test.py` do), or ask for training in the cloud."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}). Run train() again.") from error
    _check(arrays, path)
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


def _check(arrays: dict[str, np.ndarray], path: Path) -> None:
    version = arrays.get("format_version")
    if version is None or version.shape != () or version != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this code reads {FORMAT_VERSION}. "
            "Run train() again."
        )
    n_genes, n_perturbations = (np.size(arrays.get(name)) for name in ("genes", "perturbations"))
    n_labels = n_perturbations + 1
    shapes = {
        "trained_on": (),
        "genes": (n_genes,),
        "perturbations": (n_perturbations,),
        "centroids": (n_perturbations, n_genes),
        "n_cells": (n_perturbations,),
        "control_centroid": (n_genes,),
        "base_cells": (np.shape(arrays.get("base_cells", ()))[:1] or (1,)) + (n_genes,),
        "proportion_labels": (n_labels,),
        "proportions": (n_labels, len(PROGRAM_FLAGS)),
    }
    for name, shape in shapes.items():
        if name not in arrays:
            raise InputError(f"{path} has no array {name}. Run train() again.")
        if arrays[name].shape != shape:
            raise InputError(
                f"{path}: {name} is {arrays[name].shape}, expected {shape}. Run train() again."
            )
        is_text = name in ("trained_on", "genes", "perturbations", "proportion_labels")
        if (arrays[name].dtype.kind == "U") != is_text:
            raise InputError(
                f"{path}: {name} holds {arrays[name].dtype}, expected "
                f"{'text' if is_text else 'numbers'}. Run train() again."
            )
        if not is_text and not (np.isfinite(arrays[name]).all() and (arrays[name] >= 0).all()):
            raise InputError(f"{path}: {name} holds NaN or negative values. Run train() again.")
    expected = {CONTROL_LABEL, *arrays["perturbations"].tolist()}
    if set(arrays["proportion_labels"].tolist()) != expected:
        raise InputError(f"{path}: its proportions are of other knock-outs. Run train() again.")
