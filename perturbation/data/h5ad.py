"""Cells in an h5ad file: opened and checked once, read in blocks.

Only what is needed is read: X, some columns of obs and the names of the genes, never layers. The
training cells, the local truth and a written prediction all come through here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from perturbation.data.matrix import Sparse, check_matrix, read_blocks
from perturbation.data.names import check_columns, check_names
from perturbation.errors import InputError, reading

CELLS_PER_BLOCK = 256


@dataclass(frozen=True)
class CellsFile:
    """Cells on disk, and what is known about each of them.

    Attributes
    ----------
    path
        The h5ad file; X is CSR, CSC or dense.
    genes
        (n_genes,) names of the columns of X, each once.
    labels
        (n_cells,) knocked-out gene of every cell, "NC" for controls.
    obs
        (n_cells, n) the columns that were asked for, as they are stored.
    obs_columns
        All that obs has.
    dtype
        Of the values stored.
    any_values
        Whether X may hold what log2(1 + counts per 100,000) cannot be.
    """

    path: Path
    genes: np.ndarray
    labels: np.ndarray
    obs: pd.DataFrame
    obs_columns: list[str]
    dtype: np.dtype
    any_values: bool

    def blocks(
        self, cells_per_block: int = CELLS_PER_BLOCK, rows: np.ndarray | None = None
    ) -> Iterator[tuple[slice, slice, Sparse]]:
        """Read X once, from first to last; see `matrix.read_blocks`."""
        return read_blocks(self.path, cells_per_block, rows, any_values=self.any_values)


def open_cells(path: Path, columns: Sequence[str] = (), *, any_values: bool = False) -> CellsFile:
    """Open an h5ad file and check all that can be checked without reading X.

    Parameters
    ----------
    path
        obs['gene'] names the perturbation of each cell.
    columns
        Those of obs that are needed beside it.
    any_values
        Accept any values in X: the platform does so in a prediction.

    Raises
    ------
    InputError
        If the file is missing, unreadable or not in the competition's layout.
    """
    with reading(path), h5py.File(path) as file:
        if missing := [name for name in ("X", "obs", "var") if name not in file]:
            raise InputError(
                f"{path} has no {missing[0]}; expected an h5ad file as anndata writes it. "
                "Write it again with anndata."
            )
        found = _names_in(file["obs"], path)[1:]
        check_columns(["gene", *columns], found, f"obs of {path}")
        obs = read_columns(file["obs"], ["gene", *columns], path)
        if not len(obs):
            raise InputError(f"{path} has no cells. Write it again with anndata.")
        names = read_columns(file["var"], _names_in(file["var"], path)[:1], path).iloc[:, 0]
        genes = np.array(check_names(names.astype(str).tolist(), f"var of {path}"))
        dtype = check_matrix(file, path, (len(obs), len(genes)))
    return CellsFile(path, genes, _labels(obs["gene"], path), obs, found, dtype, any_values)


def _names_in(table: h5py.Group, path: Path) -> list[str]:
    """Columns of obs or var, the index first."""
    index = table.attrs.get("_index")
    if index is None or "__categories" in table:
        raise InputError(
            f"{table.name[1:]} of {path} is not a table as anndata writes it since version 0.8. "
            "Read the file with anndata, and write it again."
        )
    return [index, *(name for name in table if name != index)]


def read_columns(table: h5py.Group, columns: Sequence[str], path: Path) -> pd.DataFrame:
    """Read these columns of obs or var, or entries of uns, and no other.

    Raises
    ------
    InputError
        If one cannot be read, or they have different lengths.
    """
    with reading(path, element=table.name[1:]):
        found = pd.DataFrame({name: ad.io.read_elem(table[name]) for name in columns})
    return found


def _labels(labels: pd.Series, path: Path) -> np.ndarray:
    names = labels.astype(str)
    empty = labels.isna().to_numpy() | (names.str.strip() == "").to_numpy()
    if empty.any():
        raise InputError(
            f"obs['gene'] of {path} is empty for {empty.sum():,} cells; expected a knocked-out "
            "gene or 'NC' for each. Name them, or leave those cells out."
        )
    return names.to_numpy(dtype=str)
