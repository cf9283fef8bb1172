"""The matrix X of an h5ad file, of any layout, read in blocks, while others are in use."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from perturbation.errors import InputError, reading, reason
from perturbation.progress import one_ahead

LARGEST_LOG_VALUE = np.log2(np.float64(1 + 1e5))
"""log2(1 + counts per 100,000) cannot exceed this; raw counts do."""

NEAR = 16
"""Rows no farther apart are read together, with what lies between."""

Size = tuple[int, int]
Sparse = sparse.csr_array | sparse.csc_array
Layout = Callable[..., Sparse]
LAYOUTS: dict[str, Layout] = {"csr_matrix": sparse.csr_array, "csc_matrix": sparse.csc_array}
"""By the encoding that anndata writes into the file."""


def read_blocks(
    path: Path, cells_per_block: int, rows: np.ndarray | None = None, *, any_values: bool = False
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
    with reading(path), h5py.File(path) as file:
        stored = one_ahead(_stored(file["X"], cells_per_block, rows))
        for part in one_ahead((r, c, _checked(make, path, any_values)) for r, c, make in stored):
            is_zero = is_zero and not part[2].data.any()
            yield part
    if is_zero:
        raise InputError(
            f"X of {path} holds nothing but zeros; expected log2(1 + counts per 100,000). "
            "Write the cells to it again."
        )


def check_matrix(file: h5py.File, path: Path, shape: Size) -> np.dtype:
    """Refuse an X of an unknown layout, or not as large as obs and var say; return its type."""
    x = file["X"]
    names = ["X"] if isinstance(x, h5py.Dataset) else ["X/data", "X/indices", "X/indptr"]
    if not all(isinstance(file.get(name), h5py.Dataset) for name in names):
        raise InputError(
            f"X of {path} is neither a dense array nor a sparse matrix of anndata's. "
            "Write it again with anndata."
        )
    found = tuple(int(n) for n in x.attrs.get("shape", getattr(x, "shape", ())))
    if found != shape:
        raise InputError(
            f"X of {path} is {found}, but obs and var say {shape}. Write it again with anndata."
        )
    for name, allowed in zip(names, ("biuf", "iu", "iu"), strict=False):
        if file[name].dtype.kind not in allowed:
            raise InputError(
                f"{name} of {path} holds {file[name].dtype}; expected "
                f"{'numbers' if 'f' in allowed else 'whole numbers'}. Write it again with anndata."
            )
    if isinstance(x, h5py.Group):
        _check_pointers(x, path, shape)
    return np.dtype(file[names[0]].dtype.str).newbyteorder("=")


def _check_pointers(x: h5py.Group, path: Path, shape: Size) -> None:
    """Refuse pointers that do not lead through all stored values, row by row."""
    encoding = x.attrs.get("encoding-type")
    if encoding not in LAYOUTS:
        raise InputError(
            f"X of {path} is encoded as {encoding!r}; expected {' or '.join(LAYOUTS)}, or a dense "
            "array. Write it again with anndata."
        )
    n_major, n_stored = shape[encoding == "csc_matrix"], len(x["data"])
    steps = np.diff(x["indptr"][:].astype(np.int64), prepend=0, append=n_stored)
    if len(x["indices"]) != n_stored or len(steps) != n_major + 2 or steps.min() < 0 or steps[0]:
        raise InputError(
            f"The pointers of X of {path} are broken: {len(x['indptr']):,} for {n_major:,} rows or "
            f"columns, {n_stored:,} values, {len(x['indices']):,} indices. Write it again."
        )


def _stored(
    x: h5py.Dataset | h5py.Group, cells_per_block: int, rows: np.ndarray | None
) -> Iterator[tuple[slice, slice, Callable[[], Sparse]]]:
    """Yield the rows and columns that are read at once, and what makes a matrix of their values.

    anndata's own access to sparse rows refuses float16 and the other byte order, as scipy does.
    """
    shape = n_cells, n_genes = x.shape if isinstance(x, h5py.Dataset) else tuple(x.attrs["shape"])
    tall, wide = getattr(x, "chunks", None) or (1, n_genes)
    if isinstance(x, h5py.Dataset):
        # subtle: a chunk is decompressed whole for any part of it. Bands of rows across tall chunks
        # would read each once a band, a time that grows with the square of the number of cells.
        layout = LAYOUTS["csc_matrix" if tall * n_genes > wide * n_cells else "csr_matrix"]
    else:
        layout, indptr = LAYOUTS[x.attrs["encoding-type"]], x["indptr"][:].astype(np.int64)
    for piece in _pieces(shape, layout, cells_per_block, rows, (tall, wide)):
        extent = tuple(part.stop - part.start for part in piece)
        if isinstance(x, h5py.Dataset):
            values = x[piece].astype(np.float64, copy=False)
        else:
            major = piece[layout is sparse.csc_array]
            pointers = indptr[major.start : major.stop + 1]
            inside = slice(int(pointers[0]), int(pointers[-1]))
            # subtle: h5py's own dtype object in place of numpy's makes np.add.at 20 times slower
            data = x["data"][inside].astype(np.float64, copy=False).view(np.float64)
            # subtle: pointers of 64 bits would make scipy widen the indices too
            values = data, x["indices"][inside], (pointers - pointers[0]).astype(np.int32)
        yield *piece, partial(layout, values, shape=extent)


def _pieces(
    shape: Size, layout: Layout, cells_per_block: int, rows: np.ndarray | None, chunk: Size
) -> Iterator[tuple[slice, slice]]:
    """Cut X into bands of rows if it is to be CSR, else of columns, along its chunks."""
    n_cells, n_genes = shape
    if layout is sparse.csc_array:
        width = max(1, cells_per_block * n_genes // n_cells)
        for columns in _steps(0, n_genes, width, chunk[1]):
            yield slice(0, n_cells), columns
        return
    rows = np.arange(n_cells) if rows is None else rows
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > NEAR) + 1):
        for band in _steps(int(run[0]), int(run[-1]) + 1, cells_per_block, chunk[0]):
            yield band, slice(0, n_genes)


def _steps(start: int, stop: int, step: int, chunk: int) -> list[slice]:
    """Cut a range into steps, each of whole chunks where one fits."""
    step = step - step % chunk or step
    return [slice(first, min(first + step, stop)) for first in range(start, stop, step)]


def _checked(make: Callable[[], Sparse], path: Path, any_values: bool) -> Sparse:
    """Make a block; an index out of range would make scipy write outside its memory."""
    try:
        block = make()
        block.check_format(full_check=True)
    except ValueError as error:
        raise InputError(f"X of {path} is broken ({reason(error)}). Write it again.") from error
    block.sort_indices()  # costs little where they ascend, as they should
    if not block.has_canonical_format:
        raise InputError(f"X of {path} stores a value of one gene twice. Write it again.")
    if not any_values and block.nnz:
        lowest, highest = block.data.min(), block.data.max()  # NaN if there is one
        if not (lowest >= 0 and highest <= LARGEST_LOG_VALUE):
            raise InputError(_value_message(lowest, highest, path))
    return block


def _value_message(lowest: float, highest: float, path: Path) -> str:
    if not np.isfinite([lowest, highest]).all():
        found, cure = "NaN or infinite values", "Write the cells again."
    elif lowest < 0:
        found = f"negative values, the lowest {lowest:.4g}"
        cure = "It looks scaled: use the values before that."
    else:
        found, counts = f"{highest:.6g}", "counts / counts.sum(axis=1) * 100000"
        cure = f"It looks like raw counts: use numpy.log2(1 + {counts})."
    expected = f"expected log2(1 + counts per 100,000), 0 to {LARGEST_LOG_VALUE:.2f}"
    return f"X of {path} holds {found}; {expected}. {cure}"


class GrowingMatrix:
    """Bands of rows below each other, or of columns side by side: one CSR in the end.

    subtle: bytearrays grow in place; a list of blocks beside the whole would take twice the memory.
    """

    def __init__(self) -> None:
        self.data, self.indices, self.lengths = bytearray(), bytearray(), [np.zeros(1, np.int32)]

    def add(self, block: Sparse) -> None:
        """Put a block behind the others; values are kept as float32."""
        self.layout = type(block)
        self.data.extend(block.data.astype(np.float32))
        self.indices.extend(block.indices.astype(np.int32))
        self.lengths.append(np.diff(block.indptr))

    def matrix(self, shape: Size) -> sparse.csr_array:
        """Return all."""
        data, indices = np.frombuffer(self.data, np.float32), np.frombuffer(self.indices, np.int32)
        indptr = np.cumsum(np.concatenate(self.lengths), dtype=np.int32)
        return self.layout((data, indices, indptr), shape=shape).tocsr()
