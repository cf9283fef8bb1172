"""The matrix X of an h5ad file, of any layout, read once in blocks, while others are in use."""

from collections.abc import Iterator
from itertools import cycle, pairwise
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from perturbation.errors import InputError, reason
from perturbation.progress import one_ahead

LARGEST_LOG_VALUE = np.log2(np.float64(1 + 1e5))
"""log2(1 + counts per 100,000) cannot exceed this; raw counts do."""

N_BUFFERS = 4
"""One block in use, one being checked, one being read, one to spare; fresh memory costs time."""

Sparse = sparse.csr_array | sparse.csc_array


def read_blocks(path: Path, cells_per_block: int) -> Iterator[tuple[slice, slice, Sparse]]:
    """Read X from first to last; the values are checked on the way.

    Parameters
    ----------
    path
        An h5ad file that `check_matrix` accepts.
    cells_per_block
        As many blocks as `N_BUFFERS` are in memory, each of at most
        `cells_per_block * n_genes * 12` bytes.
        A CSC file is read in column blocks of as many values.

    Yields
    ------
    rows, columns, block
        `block` (len(rows), len(columns)) float64 holds X[rows, columns]: CSC where the file is,
        else CSR. It is good until the next one is asked for: its memory is used again.

    Raises
    ------
    InputError
        If a value is NaN, infinite, negative or a raw count, or an index is out of range or given
        twice.
    """
    try:
        with h5py.File(path) as file:
            stored = one_ahead(_stored_blocks(file["X"], cells_per_block))
            yield from one_ahead(_checked(block, path) for block in stored)
    except OSError as error:
        raise InputError(
            f"{path} could not be read to its end ({reason(error)}). It may be truncated: "
            "download it again."
        ) from error


def check_matrix(file: h5py.File, path: Path, shape: tuple[int, int]) -> None:
    """Refuse an X of an unknown layout, or not as large as obs and var say."""
    x = file["X"]
    if not isinstance(x, h5py.Dataset) and not _is_sparse(x):
        raise InputError(
            f"X of {path} is neither a dense array nor a sparse matrix of anndata's. "
            "Write it again with anndata."
        )
    found = x.shape if isinstance(x, h5py.Dataset) else tuple(x.attrs.get("shape", ()))
    if tuple(found) != shape:
        raise InputError(
            f"X of {path} is {tuple(int(n) for n in found)}, but obs and var say {shape}. "
            "Download it again."
        )
    if isinstance(x, h5py.Dataset):
        _check_kind(x, "biuf", path)
    else:
        _check_sparse(x, path, shape)


def _is_sparse(x: h5py.Group) -> bool:
    return all(isinstance(x.get(name), h5py.Dataset) for name in ("data", "indices", "indptr"))


def _check_kind(x: h5py.Dataset, kinds: str, path: Path) -> None:
    """Refuse text, complex numbers, and fractions where whole numbers are due."""
    if x.dtype.kind not in kinds:
        name, expected = x.name.lstrip("/"), "numbers" if "f" in kinds else "whole numbers"
        raise InputError(
            f"{name} of {path} holds {x.dtype}; expected {expected}. Download it again."
        )


def _check_sparse(x: h5py.Group, path: Path, shape: tuple[int, int]) -> None:
    """Refuse pointers that do not lead through all stored values, row by row."""
    encoding = x.attrs.get("encoding-type")
    if encoding not in ("csr_matrix", "csc_matrix"):
        raise InputError(
            f"X of {path} is encoded as {encoding!r}; expected csr_matrix, csc_matrix or a dense "
            "array. Write it again with anndata."
        )
    for name, kinds in (("data", "biuf"), ("indices", "iu"), ("indptr", "iu")):
        _check_kind(x[name], kinds, path)
    n_major = shape[0] if encoding == "csr_matrix" else shape[1]
    n_stored, n_indices, n_pointers = (x[name].size for name in ("data", "indices", "indptr"))
    if n_pointers != n_major + 1 or n_indices != n_stored:
        raise InputError(
            f"X of {path} is broken: {n_pointers:,} pointers for {n_major:,} rows or columns, "
            f"{n_stored:,} values, {n_indices:,} indices. Download it again."
        )
    indptr = x["indptr"][:].astype(np.int64)
    if indptr[0] != 0 or indptr[-1] != n_stored or (np.diff(indptr) < 0).any():
        raise InputError(f"The row pointers of X of {path} are broken. Download it again.")


def _stored_blocks(x: h5py.Dataset | h5py.Group, cells_per_block: int) -> Iterator[tuple]:
    """Yield (rows, columns, layout, data, indices, indptr) over X as it lies in the file."""
    if isinstance(x, h5py.Dataset):
        return _dense_blocks(x, cells_per_block)
    return _sparse_blocks(x, cells_per_block)


def _dense_blocks(x: h5py.Dataset, cells_per_block: int) -> Iterator[tuple]:
    for start in range(0, x.shape[0], cells_per_block):
        rows = slice(start, min(start + cells_per_block, x.shape[0]))
        block = sparse.csr_array(x[rows].astype(np.float64, copy=False))
        arrays = block.data, block.indices, block.indptr
        yield rows, slice(0, x.shape[1]), sparse.csr_array, *arrays


def _sparse_blocks(x: h5py.Group, cells_per_block: int) -> Iterator[tuple]:
    n_cells, n_genes = (int(n) for n in x.attrs["shape"])
    is_csr = x.attrs["encoding-type"] == "csr_matrix"
    per_block = cells_per_block if is_csr else max(1, cells_per_block * n_genes // n_cells)
    indptr = x["indptr"][:].astype(np.int64)
    bounds = np.append(np.arange(0, len(indptr) - 1, per_block), len(indptr) - 1)
    buffers = cycle(_buffers(x, int(np.diff(indptr[bounds]).max())))
    for start, stop in pairwise(bounds.tolist()):
        pointers = indptr[start : stop + 1]
        stored = slice(int(pointers[0]), int(pointers[-1]))
        data, indices = (_read(*pair, stored) for pair in next(buffers))
        arrays = data, indices, (pointers - pointers[0]).astype(np.int32)
        if is_csr:
            yield slice(start, stop), slice(0, n_genes), sparse.csr_array, *arrays
        else:
            yield slice(0, n_cells), slice(start, stop), sparse.csc_array, *arrays


def _buffers(x: h5py.Group, n_values: int) -> list[list[tuple[h5py.Dataset, np.ndarray]]]:
    """Make room for the data and indices of blocks of so many values.

    subtle: h5py's own dtype object in place of numpy's makes np.add.at twenty times slower.
    """
    parts = x["data"], x["indices"]
    return [
        [(part, np.empty(n_values, np.dtype(part.dtype.str))) for part in parts]
        for _ in range(N_BUFFERS)
    ]


def _read(values: h5py.Dataset, buffer: np.ndarray, part: slice) -> np.ndarray:
    """Read values[part] into the start of the buffer and return that."""
    out = buffer[: part.stop - part.start]
    if len(out):
        values.read_direct(out, part)
    return out


def _checked(stored: tuple, path: Path) -> tuple[slice, slice, Sparse]:
    """Build the block; an index out of range would make scipy write outside its memory."""
    rows, columns, layout, data, indices, indptr = stored
    shape = rows.stop - rows.start, columns.stop - columns.start
    n_minor = shape[1] if layout is sparse.csr_array else shape[0]
    if len(indices) and (indices.min() < 0 or indices.max() >= n_minor):
        raise InputError(
            f"X of {path} has an index outside 0 to {n_minor - 1:,}. Download it again."
        )
    data = data.astype(np.float64, copy=False)
    if not _are_log_values(data):
        raise InputError(_value_message(data, path))
    block = layout((data, indices, indptr), shape=shape)
    block.sum_duplicates()  # costs little where indices ascend, as they should
    if block.nnz < len(data):
        raise InputError(f"X of {path} stores a value of one gene twice. Download it again.")
    return rows, columns, block


def _are_log_values(data: np.ndarray) -> bool:
    """Whether all are from 0 to `LARGEST_LOG_VALUE`.

    subtle: as whole numbers, the bits of such a float64 are no larger than those of the largest,
    and those of NaN and of anything negative are: one pass is enough where nothing is wrong.
    """
    if not len(data) or data.view(np.uint64).max() <= LARGEST_LOG_VALUE.view(np.uint64):
        return True
    return bool(data.min() >= 0 and data.max() <= LARGEST_LOG_VALUE)


def _value_message(data: np.ndarray, path: Path) -> str:
    expected = f"expected log2(1 + counts per 100,000), 0 to {LARGEST_LOG_VALUE:.2f}"
    if not np.isfinite(data).all():
        return f"X of {path} holds NaN or infinite values; {expected}. Download it again."
    if data.min() < 0:
        return (
            f"X of {path} holds negative values, the lowest {data.min():.4g}; {expected}. "
            "It looks scaled: use the values before that."
        )
    return (
        f"X of {path} holds {data.max():.6g}; {expected}. It looks like raw counts: "
        "use numpy.log2(1 + counts / counts.sum(axis=1) * 100000)."
    )
