"""Writes prediction.h5ad and the table of proportions: whole or not at all, in little memory."""

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import psutil

from perturbation.competition import CELLS_PER_PERTURBATION, SUBMITTED_PROPORTION_COLUMNS
from perturbation.errors import reason
from perturbation.files import as_path, need_room, whole_file
from perturbation.model.parts import checked_cells
from perturbation.model.programs import DECIMALS
from perturbation.progress import one_ahead, progress

ON_DISK = np.dtype("<f4")
HEADER_BYTES = 2**16
MOST_IN_MEMORY = 2**28
SHARE_OF_MEMORY = 0.25
"""The matrix is built in memory up to so many bytes and this share of what is available."""
VERSION_1 = ("limit_in_bytes", "usage_in_bytes")
"""Names of the limit and the usage in cgroups of version 1."""


def write_prediction(
    h5ad_path: str | Path,
    csv_path: str | Path,
    blocks: Iterable[np.ndarray],
    genes: Sequence[str],
    proportions: pd.DataFrame,
    *,
    in_memory: bool | None = None,
) -> None:
    """Write both files of a submission; neither appears before both are whole.

    Parameters
    ----------
    h5ad_path, csv_path
        Where the platform wants them.
    blocks
        One array (100, n_genes) float32 for each perturbation, in the order of
        `proportions`.
    genes
        (n_genes,) column names.
    proportions
        (n_perturbations, 4), index = perturbation.
    in_memory
        Whether to build the whole matrix in memory and write it at once, or to stream blocks into
        the file. None: as the memory available allows. The files are byte-identical.

    Raises
    ------
    InputError
        If the disk has no room, a file cannot be written, or the cells or proportions are not
        what was asked (`perturbation.model.parts`).
    """
    h5ad_path = as_path(h5ad_path, "prediction_h5ad_file_path")
    csv_path = as_path(csv_path, "program_proportion_csv_file_path")
    of_one = (CELLS_PER_PERTURBATION, len(genes))
    shape = (len(proportions) * CELLS_PER_PERTURBATION, len(genes))
    n_bytes = 4 * shape[0] * shape[1]
    if in_memory is None:
        in_memory = n_bytes <= min(MOST_IN_MEMORY, SHARE_OF_MEMORY * available_memory())
    with whole_file(csv_path) as csv, whole_file(h5ad_path) as h5ad:
        need_room(h5ad_path, n_bytes + 200 * sum(shape))
        proportions.rename_axis("gene").reset_index()[list(SUBMITTED_PROPORTION_COLUMNS)].to_csv(
            csv, index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n"
        )
        start_of_x = _write_frame(h5ad, list(proportions.index), genes, shape)
        cells = _counted(checked_cells(blocks, len(proportions), of_one), shape[0])
        with h5ad.open("r+b") as file:
            file.seek(start_of_x)
            whole = np.dtype((ON_DISK, of_one))
            for rows in [np.fromiter(cells, whole)] if in_memory else cells:
                file.write(np.ascontiguousarray(rows, dtype=ON_DISK))


def available_memory(cgroup_root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that are free on the machine and, in a container, below the cgroup's limit."""
    available = psutil.virtual_memory().available
    for place, names in ((cgroup_root, ("max", "current")), (cgroup_root / "memory", VERSION_1)):
        with suppress(OSError, ValueError):  # no such cgroup, or its limit is the word "max"
            limit, usage = (int((place / f"memory.{name}").read_text()) for name in names)
            available = min(available, max(limit - usage, 0))
    return available


def _write_frame(
    path: Path, perturbations: Sequence[str], genes: Sequence[str], shape: tuple[int, int]
) -> int:
    """Write all but the values of X, and return the byte of the file where they go.

    subtle: HDF5 can crash after a write that failed. So only plain writes reach the disk where it
    may be full: HDF5 makes obs and var in memory, and finds room for the header of X made already.
    """
    # The file: [obs, var, HDF5's own][64 KB for the header of X][X, row by row, float32]. The frame
    # is made in memory; X is given its place and its header, and its values are written plainly.
    names = np.repeat(np.asarray(perturbations, dtype=str), shape[0] // len(perturbations))
    obs = pd.DataFrame(
        {"gene": pd.Categorical(names, pd.Index(sorted(perturbations), dtype=object))},
        index=pd.Index([str(row) for row in range(len(names))], dtype=object),
    )
    var = pd.DataFrame(index=pd.Index(list(genes), dtype=object))
    with h5py.File(path.name, "w", driver="core", backing_store=False) as in_memory:
        ad.io.write_elem(in_memory, "/", ad.AnnData(obs=obs, var=var))
        in_memory.flush()
        frame = in_memory.id.get_file_image()
    with path.open("wb") as file:
        file.write(frame + bytes(HEADER_BYTES))
        file.truncate(len(frame) + HEADER_BYTES + ON_DISK.itemsize * shape[0] * shape[1])
    try:
        with h5py.File(path, "r+", locking=False) as file:
            return _create_matrix(file, shape)
    except RuntimeError as error:  # how h5py may tell that a write failed
        raise OSError(errno.EIO, reason(error)) from error


def _create_matrix(file: h5py.File, shape: tuple[int, int]) -> int:
    """Make a dense contiguous X, not yet filled, and return the byte where its values start.

    The two attributes are those by which anndata knows a dense array.
    """
    if "X" in file:
        del file["X"]
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    x = file.create_dataset("X", shape=shape, dtype=ON_DISK, dcpl=layout)
    x.attrs["encoding-type"] = "array"
    x.attrs["encoding-version"] = "0.2.0"
    return x.id.get_offset()


def _counted(blocks: Iterable[np.ndarray], n_rows: int) -> Iterator[np.ndarray]:
    """Yield the blocks, made one ahead, and show how many rows are done."""
    with progress(n_rows, "writing cells", unit="cell") as bar:
        for block in one_ahead(blocks):
            yield block
            bar.update(len(block))
