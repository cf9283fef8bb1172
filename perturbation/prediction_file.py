"""Writes prediction.h5ad and the table of proportions: whole or not at all, in little memory."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from perturbation.ahead import one_ahead
from perturbation.competition import SUBMITTED_PROPORTION_COLUMNS
from perturbation.files import need_room, unfinished_name, whole_file
from perturbation.memory import available_memory
from perturbation.programs import DECIMALS
from perturbation.progress import progress

SHARE_OF_MEMORY = 0.25
"""The matrix is built in memory if it takes at most this share of what is available."""


def write_prediction(
    h5ad_path: str | Path,
    csv_path: str | Path,
    blocks: Iterable[np.ndarray],
    genes: Sequence[str],
    proportions: pd.DataFrame,
    *,
    cells_per_perturbation: int,
    in_memory: bool | None = None,
) -> None:
    """Write both files of a submission; neither appears before both are whole.

    Parameters
    ----------
    h5ad_path, csv_path
        Where the platform wants them.
    blocks
        One array (cells_per_perturbation, n_genes) float32 for each perturbation, in the order of
        `proportions`.
    genes
        (n_genes,) column names.
    proportions
        (n_perturbations, 4), index = perturbation.
    cells_per_perturbation
        Rows of each block.
    in_memory
        Whether to build the whole matrix in memory and write it at once, or to stream blocks into
        the file. None: as the memory available allows. The files are byte-identical.

    Raises
    ------
    InputError
        If the disk has no room.
    """
    h5ad_path, csv_path = Path(h5ad_path), Path(csv_path)
    h5ad_path.parent.mkdir(parents=True, exist_ok=True)
    for path in (h5ad_path, csv_path):  # left by a run that was killed
        unfinished_name(path).unlink(missing_ok=True)
    shape = (len(proportions) * cells_per_perturbation, len(genes))
    n_bytes = 4 * shape[0] * shape[1]
    need_room(h5ad_path, n_bytes + 200 * sum(shape))
    if in_memory is None:
        in_memory = n_bytes <= SHARE_OF_MEMORY * available_memory()
    with whole_file(csv_path) as csv, whole_file(h5ad_path) as h5ad:
        proportions.rename_axis("gene").reset_index()[list(SUBMITTED_PROPORTION_COLUMNS)].to_csv(
            csv, index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n"
        )
        _write_frame(h5ad, proportions.index, genes, cells_per_perturbation)
        with h5py.File(h5ad, "r+") as file:
            x = _create_matrix(file, shape)
            if in_memory:
                matrix = np.empty(shape, dtype=np.float32)
                _fill(matrix, blocks)
                x[...] = matrix
            else:
                _fill(x, blocks)


def _write_frame(
    path: Path, perturbations: Sequence[str], genes: Sequence[str], cells_per_perturbation: int
) -> None:
    """Let anndata write obs and var, so that only X is ours."""
    names = np.repeat(np.asarray(perturbations, dtype=str), cells_per_perturbation)
    obs = pd.DataFrame(
        {"gene": pd.Categorical(names, categories=sorted(perturbations))},
        index=[str(row) for row in range(len(names))],
    )
    var = pd.DataFrame(index=pd.Index(list(genes), dtype=object))
    ad.AnnData(obs=obs, var=var).write_h5ad(path)


def _create_matrix(file: h5py.File, shape: tuple[int, int]) -> h5py.Dataset:
    """Dense X, contiguous, as anndata reads it: the two attributes are its on-disk format's."""
    if "X" in file:
        del file["X"]
    x = file.create_dataset("X", shape=shape, dtype=np.float32)
    x.attrs["encoding-type"] = "array"
    x.attrs["encoding-version"] = "0.2.0"
    return x


def _fill(x: h5py.Dataset | np.ndarray, blocks: Iterable[np.ndarray]) -> None:
    """Put the blocks one below the other."""
    with progress(x.shape[0], "writing cells", unit="cell") as bar:
        start = 0
        for block in one_ahead(blocks):
            x[start : start + len(block)] = block
            start += len(block)
            bar.update(len(block))
