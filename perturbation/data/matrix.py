"""The matrix X of an h5ad file, of any layout, read in blocks, while others are in use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
from scipy import sparse

from perturbation.errors import InputError, diagnosis, reason
from perturbation.progress import one_ahead

LARGEST_LOG_VALUE = np.log2(np.float64(1 + 1e5))
"""log2(1 + counts per 100,000) cannot exceed this; raw counts do."""

NEAR = 16
"""Rows no farther apart are read together, with what lies between."""

Sparse = sparse.csr_array | sparse.csc_array
Layout = Callable[..., Sparse]
Piece = tuple[slice, slice]
"""Rows and columns of X that are read at once."""
Stored = np.ndarray | tuple[np.ndarray, np.ndarray, np.ndarray]
"""Values of a dense X; data, indices and pointers of a sparse one."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Raises
    ------
    InputError
        If it is missing, or if it or an element cannot be read; `diagnosis` says why.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Run `crunch download`, or give the right directory.")
    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:  # what h5py raises
        raise InputError(diagnosis(path, error)) from error


def read_blocks(
    path: Path,
    cells_per_block: int,
    rows: np.ndarray | None = None,
    *,
    any_values: bool = False,
) -> Iterator[tuple[slice, slice, Sparse]]:
    """Read X from first to last; the values are checked on the way.

    Parameters
    ----------
    path
        An h5ad file that `check_matrix` accepts.
    cells_per_block
        Up to four blocks are in memory, each of at most `cells_per_block * n_genes * 12` bytes.
        A CSC file, and a dense one in tall chunks, is read in column blocks of as many values.
    rows
        (n,) ascending; blocks without any of them may be passed over. None: all are read.
    any_values
        Accept values that log2(1 + counts per 100,000) cannot be.

    Yields
    ------
    rows, columns, block
        `block` (len(rows), len(columns)) float64 holds X[rows, columns]: CSR if blocks are bands
        of rows, CSC if of columns.

    Raises
    ------
    InputError
        If a value is NaN, infinite, negative or a raw count, if all are 0, or if an index is out
        of range or given twice.
    """
    is_zero = not any_values
    with open_hdf5(path) as file:
        stored = one_ahead(_stored(file["X"], cells_per_block, rows))
        for part in one_ahead(_block(*s, path, any_values=any_values) for s in stored):
            is_zero = is_zero and not part[2].data.any()
            yield part
    if is_zero:
        raise InputError(
            f"X of {path} holds nothing but zeros; expected log2(1 + counts per 100,000). "
            "Write the cells to it again."
        )


def check_matrix(file: h5py.File, path: Path, shape: tuple[int, int]) -> np.dtype:
    """Refuse an X of an unknown layout, or not as large as obs and var say; return its type."""
    x = file["X"]
    if isinstance(x, h5py.Dataset):
        found, parts = x.shape, {"X": (x, "biuf")}
    elif all(isinstance(x.get(name), h5py.Dataset) for name in ("data", "indices", "indptr")):
        kinds = {"data": "biuf", "indices": "iu", "indptr": "iu"}
        found = tuple(int(n) for n in x.attrs.get("shape", x.attrs.get("h5sparse_shape", ())))
        parts = {name: (x[name], kind) for name, kind in kinds.items()}
    else:
        raise InputError(
            f"X of {path} is neither a dense array nor a sparse matrix of anndata's. "
            "Write it again with anndata."
        )
    if found != shape:
        raise InputError(
            f"X of {path} is {found}, but obs and var say {shape}. Write it again with anndata."
        )
    for name, (part, allowed) in parts.items():
        if part.dtype.kind not in allowed:
            needed = "numbers" if "f" in allowed else "whole numbers"
            raise InputError(
                f"{name} of {path} holds {part.dtype}; expected {needed}. "
                "Write it again with anndata."
            )
    if isinstance(x, h5py.Group):
        _check_pointers(x, path, shape)
    return np.dtype(next(iter(parts.values()))[0].dtype.str).newbyteorder("=")


def _check_pointers(x: h5py.Group, path: Path, shape: tuple[int, int]) -> None:
    """Refuse pointers that do not lead through all stored values, row by row."""
    try:
        is_csr = ad.io.sparse_dataset(x).format == "csr"
    except Exception as error:  # anndata raises what comes of an encoding it does not know
        raise InputError(
            f"X of {path} is encoded as {x.attrs.get('encoding-type')!r}; expected csr_matrix, "
            "csc_matrix or a dense array. Write it again with anndata."
        ) from error
    n_major, n_stored = shape[0 if is_csr else 1], len(x["data"])
    indptr = x["indptr"][:].astype(np.int64)
    if (
        len(indptr) != n_major + 1
        or len(x["indices"]) != n_stored
        or (indptr[0], indptr[-1]) != (0, n_stored)
        or (np.diff(indptr) < 0).any()
    ):
        raise InputError(
            f"The pointers of X of {path} are broken: {len(indptr):,} for {n_major:,} rows or "
            f"columns, {n_stored:,} values, {len(x['indices']):,} indices. Write it again."
        )


def _stored(
    x: h5py.Dataset | h5py.Group, cells_per_block: int, rows: np.ndarray | None
) -> Iterator[tuple[Piece, Layout, Stored]]:
    """Yield X as it lies in the file: what is read, the layout, and what scipy builds it of.

    anndata's own access to sparse rows refuses float16 and the other byte order, as scipy does.
    """
    if isinstance(x, h5py.Dataset):
        tall, wide = x.chunks or (1, x.shape[1])
        # subtle: a chunk is decompressed whole for any part of it. Bands of rows across tall chunks
        # would read each once a band, a time that grows with the square of the number of cells.
        layout: Layout = (
            sparse.csc_array if tall * x.shape[1] > wide * x.shape[0] else sparse.csr_array
        )
        for piece in _pieces(x.shape, layout, cells_per_block, rows, (tall, wide)):
            yield piece, layout, x[piece].astype(np.float64, copy=False)
        return
    matrix, indptr = ad.io.sparse_dataset(x), x["indptr"][:].astype(np.int64)
    layout = sparse.csr_array if matrix.format == "csr" else sparse.csc_array
    for piece in _pieces(matrix.shape, layout, cells_per_block, rows, (1, 1)):
        major = piece[0 if matrix.format == "csr" else 1]
        pointers = indptr[major.start : major.stop + 1]
        inside = slice(int(pointers[0]), int(pointers[-1]))
        # subtle: h5py's own dtype object in place of numpy's makes np.add.at twenty times slower
        data = x["data"][inside].astype(np.float64, copy=False).view(np.float64)
        yield piece, layout, (data, x["indices"][inside], pointers - pointers[0])


def _pieces(
    shape: tuple[int, int],
    layout: Layout,
    cells_per_block: int,
    rows: np.ndarray | None,
    chunk: tuple[int, int],
) -> list[Piece]:
    """Cut X into bands of rows if it is to be CSR, else of columns, along its chunks."""
    n_cells, n_genes = shape
    if layout is sparse.csc_array:
        width = max(1, cells_per_block * n_genes // n_cells)
        return [(slice(0, n_cells), columns) for columns in _steps(0, n_genes, width, chunk[1])]
    if rows is None:
        runs = [(0, n_cells)]
    else:
        parts = np.split(rows, np.flatnonzero(np.diff(rows) > NEAR) + 1)
        runs = [(int(part[0]), int(part[-1]) + 1) for part in parts]
    return [
        (band, slice(0, n_genes))
        for first, last in runs
        for band in _steps(first, last, cells_per_block, chunk[0])
    ]


def _steps(start: int, stop: int, step: int, chunk: int) -> list[slice]:
    """Cut a range into steps, each of whole chunks where one fits."""
    step = step - step % chunk or step
    return [slice(first, min(first + step, stop)) for first in range(start, stop, step)]


def _block(
    piece: Piece, layout: Layout, values: Stored, path: Path, *, any_values: bool
) -> tuple[slice, slice, Sparse]:
    """Build the block; an index out of range would make scipy write outside its memory."""
    rows, columns = piece
    block = layout(values, shape=(rows.stop - rows.start, columns.stop - columns.start))
    try:
        block.check_format(full_check=True)
    except ValueError as error:
        raise InputError(f"X of {path} is broken ({reason(error)}). Write it again.") from error
    n_stored = block.nnz
    block.sum_duplicates()  # costs little where indices ascend, as they should
    if block.nnz < n_stored:
        raise InputError(f"X of {path} stores a value of one gene twice. Write it again.")
    if not any_values and block.nnz:
        lowest, highest = block.data.min(), block.data.max()  # NaN if there is one
        if not (lowest >= 0 and highest <= LARGEST_LOG_VALUE):
            raise InputError(_value_message(lowest, highest, path))
    return rows, columns, block


def _value_message(lowest: float, highest: float, path: Path) -> str:
    expected = f"expected log2(1 + counts per 100,000), 0 to {LARGEST_LOG_VALUE:.2f}"
    if not np.isfinite([lowest, highest]).all():
        return f"X of {path} holds NaN or infinite values; {expected}. Write the cells again."
    if lowest < 0:
        return (
            f"X of {path} holds negative values, the lowest {lowest:.4g}; {expected}. "
            "It looks scaled: use the values before that."
        )
    return (
        f"X of {path} holds {highest:.6g}; {expected}. It looks like raw counts: "
        "use numpy.log2(1 + counts / counts.sum(axis=1) * 100000)."
    )
