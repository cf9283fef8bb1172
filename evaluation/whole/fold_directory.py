"""The competition's data directory with fewer cells, and without the knock-outs of a fold."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from perturbation import competition
from perturbation.data.dataset import open_dataset
from perturbation.data.h5ad import open_cells
from perturbation.data.summary import TrainingCentroids, spread_evenly, within

CELLS_PER_BLOCK = 256
TRUTH = competition.LOCAL_TRUTH_FILE
TABLES = (competition.PROPORTIONS_FILE, competition.LOCAL_PROPORTIONS_FILE)
SMALL_FILES = (*TABLES, competition.GENES_FILE, "signature_genes.csv")
FILES = (*SMALL_FILES, TRUTH)


def thinned(labels: np.ndarray, cells_per_perturbation: int) -> np.ndarray:
    """(n_cells,) bool: all controls, and so many cells of each knock-out, spread over its rows.

    Parameters
    ----------
    labels
        (n_cells,) knocked-out gene of every cell, in file order.
    cells_per_perturbation
        Cells to keep of a knock-out; all, if it has no more.
    """
    return spread_evenly(labels, cells_per_perturbation) | (labels == competition.CONTROL_LABEL)


def write_thinned(data: Path, out: Path, kept: np.ndarray, others: Sequence[str] = FILES) -> Path:
    """Write a data directory with the kept training cells and these other files; return it."""
    out.mkdir()
    copy_cells(data / competition.TRAINING_FILE, out / competition.TRAINING_FILE, kept)
    for name in others:
        if (data / name).is_file():
            shutil.copy(data / name, out)
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
    kept = ~np.isin(open_dataset(data).labels, held_out)
    write_thinned(data, out, kept, SMALL_FILES)
    for table in {out / name for name in TABLES} & {*out.iterdir()}:
        rows = pd.read_csv(table, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        rows[~rows["gene"].isin(held_out)].to_csv(table, index=False)
    (out / competition.PERTURBATIONS_FILE).write_text("\n".join(held_out) + "\n", encoding="utf-8")
    if (data / TRUTH).is_file():
        _write_local_truth(data / TRUTH, out / TRUTH, held_out, training)


def _write_local_truth(
    truth: Path, out: Path, held_out: Sequence[str], training: TrainingCentroids
) -> None:
    """The organisers' own held-out cells; the centroids that stand with them tell of the fold."""
    cells = open_cells(truth)
    copy_cells(truth, out, ~np.isin(cells.labels, held_out))
    with h5py.File(out, "r+") as file:
        for name in ("control_centroid", "perturbed_centroid"):
            of_genes = pd.Series(getattr(training, name), training.genes)[cells.genes]
            ad.io.write_elem(file.require_group("uns"), f"{name}_train", of_genes.to_numpy())


def copy_cells(source: Path, target: Path, kept: np.ndarray) -> None:
    """Write X, layers, obs, var and uns of the kept cells, values unchanged.

    Parameters
    ----------
    source
        An h5ad file; X and layers CSR, CSC or dense.
    target
        The file to write. Compression is not taken over: time matters more than room here.
    kept
        (n_cells,) bool.

    Notes
    -----
    Peak memory is a few blocks of ``CELLS_PER_BLOCK * n_genes`` values. Categories that no kept
    cell has are dropped, so that no name of the others is left.
    """
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        new.attrs.update(old.attrs)
        for name in {"uns", "var"} & old.keys():
            old.copy(name, new)
        obs = ad.io.read_elem(old["obs"]).loc[kept]
        for name in obs.select_dtypes("category"):
            obs[name] = obs[name].cat.remove_unused_categories()
        ad.io.write_elem(new, "obs", obs)
        ad.io.write_elem(new, "layers", {})
        matrices = [(old, new, "X")]
        matrices += [(old["layers"], new["layers"], name) for name in old.get("layers", ())]
        for source_group, target_group, name in matrices:
            stored = source_group[name]
            copy_matrix = _copy_dense if isinstance(stored, h5py.Dataset) else _copy_sparse
            copy_matrix(stored, target_group, name, np.flatnonzero(kept))


def matrix_bytes(path: Path) -> int:
    """Size of X and all layers of an h5ad file without compression."""
    sizes: dict[str, int] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, part: sizes.update({name: getattr(part, "nbytes", 0)}))
    return sum(size for name, size in sizes.items() if name.split("/")[0] in ("X", "layers"))


def _copy_dense(stored: h5py.Dataset, new: h5py.Group, name: str, rows: np.ndarray) -> None:
    copy = new.create_dataset(name, (len(rows), *stored.shape[1:]), stored.dtype)
    copy.attrs.update(stored.attrs)
    for start in range(0, len(rows), CELLS_PER_BLOCK):
        part = slice(start, start + CELLS_PER_BLOCK)
        copy[part] = stored[rows[part]]


def _copy_sparse(old: h5py.Group, new: h5py.Group, name: str, rows: np.ndarray) -> None:
    """Blocks of cells of a CSR file, of genes of a CSC file, each appended to the last."""
    stored = ad.io.sparse_dataset(old)
    n_cells, n_genes = stored.shape
    is_csr = stored.format == "csr"
    step = CELLS_PER_BLOCK if is_csr else max(1, CELLS_PER_BLOCK * n_genes // n_cells)
    layout = sparse.csr_array if is_csr else sparse.csc_array
    empty = layout((0, n_genes) if is_csr else (len(rows), 0), dtype=stored.dtype)
    chunks = {"chunks": old["data"].chunks or True}
    ad.io.write_elem(new, name, empty, dataset_kwargs=chunks | {"indptr_dtype": np.int64})
    copy = ad.io.sparse_dataset(new[name])
    for start in range(0, n_cells if is_csr else n_genes, step):
        part = slice(start, start + step)
        copy.append(stored[part][within(rows, part)] if is_csr else stored[:, part][rows])
