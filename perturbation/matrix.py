"""The matrix X of an h5ad file, of any layout, read once in blocks with one block ahead."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from perturbation.ahead import one_ahead
from perturbation.errors import InputError

LARGEST_LOG_VALUE = np.log2(1 + 1e5)
"""log2(1 + counts per 100,000) cannot exceed this; raw counts do."""


def read_blocks(
    path: Path, cells_per_block: int
) -> Iterator[tuple[slice, slice, sparse.csr_array]]:
    """Read X from first to last; the values are checked on the way.

    Parameters
    ----------
    path
        An h5ad file that `check_matrix` accepts.
    cells_per_block
        Two blocks are in memory at a time, each of at most `cells_per_block * n_genes * 12` bytes.
        A CSC file is read in column blocks of as many values.

    Yields
    ------
    rows, columns, block
        `block` (len(rows), len(columns)) float64 holds X[rows, columns].

    Raises
    ------
    InputError
        If a value is NaN, infinite, negative or a raw count, or an index is out of range.
    """
    try:
        with h5py.File(path) as file:
            stored = _stored_blocks(file["X"], cells_per_block)
            for rows, columns, layout, arrays in one_ahead(stored):
                block_shape = (rows.stop - rows.start, columns.stop - columns.start)
                yield rows, columns, _as_checked_csr(layout, arrays, block_shape, path)
    except OSError as error:
        raise InputError(
            f"{path} could not be read to its end ({error}). It may be truncated: "
            "download it again."
        ) from error


def check_matrix(file: h5py.File, path: Path, shape: tuple[int, int]) -> None:
    """Refuse an X of an unknown layout, or not as large as obs and var say."""
    x = file["X"]
    if isinstance(x, h5py.Dataset):
        found = x.shape
    elif {"data", "indices", "indptr"} <= set(x):
        found = tuple(int(n) for n in x.attrs.get("shape", ()))
        if x.attrs.get("encoding-type") not in ("csr_matrix", "csc_matrix"):
            raise InputError(
                f"X of {path} is encoded as {x.attrs.get('encoding-type')!r}; "
                "expected csr_matrix, csc_matrix or a dense array."
            )
        n_major = shape[0] if x.attrs["encoding-type"] == "csr_matrix" else shape[1]
        n_stored = x["data"].shape[0]
        if x["indptr"].shape != (n_major + 1,) or x["indices"].shape != (n_stored,):
            raise InputError(
                f"X of {path} is broken: {x['indptr'].shape[0]:,} pointers for {n_major:,} rows or "
                f"columns, {n_stored:,} values, {x['indices'].shape[0]:,} indices. "
                "Download it again."
            )
        indptr = x["indptr"][:]
        if indptr[0] != 0 or indptr[-1] != n_stored or (np.diff(indptr) < 0).any():
            raise InputError(f"The row pointers of X of {path} are broken. Download it again.")
    else:
        raise InputError(f"X of {path} is neither a dense array nor a sparse matrix of anndata's.")
    if found != shape:
        raise InputError(f"X of {path} is {found}, but obs and var say {shape}. Download it again.")


def _stored_blocks(x: h5py.Dataset | h5py.Group, cells_per_block: int) -> Iterator[tuple]:
    """Yield (rows, columns, layout, (data, indices, indptr)) over X as it lies in the file."""
    if isinstance(x, h5py.Dataset):
        for start in range(0, x.shape[0], cells_per_block):
            rows = slice(start, min(start + cells_per_block, x.shape[0]))
            block = sparse.csr_array(x[rows])
            yield rows, slice(0, x.shape[1]), sparse.csr_array, _arrays(block)
        return
    n_cells, n_genes = (int(n) for n in x.attrs["shape"])
    is_csr = x.attrs["encoding-type"] == "csr_matrix"
    per_block = cells_per_block if is_csr else max(1, cells_per_block * n_genes // n_cells)
    indptr = x["indptr"][:].astype(np.int64)
    for start in range(0, len(indptr) - 1, per_block):
        major = slice(start, min(start + per_block, len(indptr) - 1))
        stored = slice(indptr[major.start], indptr[major.stop])
        pointers = indptr[major.start : major.stop + 1] - stored.start
        arrays = x["data"][stored], x["indices"][stored], pointers
        if is_csr:
            yield major, slice(0, n_genes), sparse.csr_array, arrays
        else:
            yield slice(0, n_cells), major, sparse.csc_array, arrays


def _arrays(block: sparse.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return block.data, block.indices, block.indptr


def _as_checked_csr(
    layout: type,
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray],
    shape: tuple[int, int],
    path: Path,
) -> sparse.csr_array:
    """Build the block; an index out of range would make scipy write outside its memory."""
    data, indices, indptr = arrays
    n_minor = shape[1] if layout is sparse.csr_array else shape[0]
    if len(indices) and (indices.min() < 0 or indices.max() >= n_minor):
        raise InputError(
            f"X of {path} has an index outside 0 to {n_minor - 1:,}. Download it again."
        )
    if len(data) and not (data.min() >= 0 and data.max() <= LARGEST_LOG_VALUE):
        raise InputError(_value_message(data, path))
    return layout((data.astype(np.float64, copy=False), indices, indptr), shape=shape).tocsr()


def _value_message(data: np.ndarray, path: Path) -> str:
    expected = f"expected log2(1 + counts per 100,000), 0 to {LARGEST_LOG_VALUE:.2f}"
    if not np.isfinite(data).all():
        return f"X of {path} holds NaN or infinite values; {expected}."
    if data.min() < 0:
        return f"X of {path} holds negative values, the lowest {data.min():.4g}; {expected}."
    return (
        f"X of {path} holds {data.max():.6g}; {expected}. It looks like raw counts: "
        "use numpy.log2(1 + counts / counts.sum(axis=1) * 100000)."
    )
