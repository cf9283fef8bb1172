"""Copies some of the cells of an h5ad file into another, a block at a time."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
from scipy import sparse

from perturbation.data.summary import within

CELLS_PER_BLOCK = 256


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
        for name in ("X", *(f"layers/{layer}" for layer in old.get("layers", ()))):
            copy_matrix = _copy_dense if isinstance(old[name], h5py.Dataset) else _copy_sparse
            copy_matrix(old, new, name, np.flatnonzero(kept))


def matrix_bytes(path: Path) -> int:
    """Size of X and all layers of an h5ad file without compression."""
    sizes: dict[str, int] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, part: sizes.update({name: getattr(part, "nbytes", 0)}))
    return sum(size for name, size in sizes.items() if name.split("/")[0] in ("X", "layers"))


def _copy_dense(old: h5py.File, new: h5py.File, name: str, rows: np.ndarray) -> None:
    stored = old[name]
    copy = new.create_dataset(name, (len(rows), *stored.shape[1:]), stored.dtype)
    copy.attrs.update(stored.attrs)
    for start in range(0, len(rows), CELLS_PER_BLOCK):
        part = slice(start, start + CELLS_PER_BLOCK)
        copy[part] = stored[rows[part]]


def _copy_sparse(old: h5py.File, new: h5py.File, name: str, rows: np.ndarray) -> None:
    """Blocks of cells of a CSR file, of genes of a CSC file, each appended to the last."""
    stored = ad.io.sparse_dataset(old[name])
    n_cells, n_genes = stored.shape
    is_csr = stored.format == "csr"
    step = CELLS_PER_BLOCK if is_csr else max(1, CELLS_PER_BLOCK * n_genes // n_cells)
    layout = sparse.csr_array if is_csr else sparse.csc_array
    empty = layout((0, n_genes) if is_csr else (len(rows), 0), dtype=stored.dtype)
    chunks = {"chunks": old[name]["data"].chunks or True}
    ad.io.write_elem(new, name, empty, dataset_kwargs=chunks | {"indptr_dtype": np.int64})
    copy = ad.io.sparse_dataset(new[name])
    for start in range(0, n_cells if is_csr else n_genes, step):
        part = slice(start, start + step)
        copy.append(stored[part][within(rows, part)] if is_csr else stored[:, part][rows])
