"""Cells in an h5ad file: opened and checked once, read in blocks or by perturbation.

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
from numpy.typing import ArrayLike
from scipy import sparse

from perturbation.data.matrix import Sparse, check_matrix, open_hdf5, read_blocks
from perturbation.data.names import listed
from perturbation.errors import InputError, diagnosis

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

    def cells(self, rows: np.ndarray) -> sparse.csr_array:
        """(len(rows), n_genes) float64, the cells of these ascending rows."""
        parts = [
            block[rows[(rows >= inside.start) & (rows < inside.stop)] - inside.start]
            for inside, _, block in self.blocks(rows=rows)
        ]
        stack = sparse.vstack if parts[0].format == "csr" else sparse.hstack
        return sparse.csr_array(stack(parts))

    def cells_of(self, perturbation: str, columns: np.ndarray) -> np.ndarray:
        """(n, len(columns)) as stored, the cells of a perturbation in file order, some genes."""
        cells = self.cells(np.flatnonzero(self.labels == perturbation))
        return cells[:, columns].astype(self.dtype).toarray()

    def columns_of(self, genes: Sequence[str], source: Path) -> np.ndarray:
        """(len(genes),) column of each gene that `source` names; InputError if one is not there."""
        columns = pd.Index(self.genes).get_indexer(list(genes))
        missing = [gene for gene, column in zip(genes, columns, strict=True) if column < 0]
        if missing:
            raise InputError(
                f"{len(missing):,} of {len(genes):,} names in {source} are not in {self.path}, "
                f"first: {', '.join(missing[:2])}. Both must come from one download."
            )
        return columns


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
    with open_hdf5(path) as file:
        if missing := [name for name in ("X", "obs", "var") if name not in file]:
            raise InputError(
                f"{path} has no {missing[0]}; expected an h5ad file as anndata writes it. "
                "Write it again with anndata."
            )
        found = _names_in(file["obs"], path)[1:]
        if missing := [name for name in ("gene", *columns) if name not in found]:
            raise InputError(
                f"obs of {path} has no column {listed(missing)}; found {listed(found, 20)}. "
                "Add it, or take the competition's file."
            )
        obs = _table(file["obs"], ["gene", *columns], path)
        genes = _genes(file["var"], path)
        if not len(obs) or not len(genes):
            raise InputError(
                f"{path} has no {'genes' if len(obs) else 'cells'}. Write it again with anndata."
            )
        dtype = check_matrix(file, path, (len(obs), len(genes)))
    return CellsFile(path, genes, _labels(obs["gene"], path), obs, found, dtype, any_values)


def read_uns(file: CellsFile, name: str) -> np.ndarray:
    """(n_genes,) float64, the values of uns[name]; InputError if these are not so many numbers."""
    with open_hdf5(file.path) as stored:
        key = f"uns/{name}"
        values = _table(stored["uns"], [name], file.path)[name] if key in stored else ()
    found = np.asarray(values, dtype=np.float64)
    if len(found) != len(file.genes) or not np.isfinite(found).all():
        raise InputError(
            f"uns['{name}'] of {file.path} holds {len(found):,} values, expected one finite number "
            f"for each of {len(file.genes):,} genes. Run `crunch download`."
        )
    return found


def _names_in(table: h5py.Group | h5py.Dataset, path: Path) -> list[str]:
    """Columns of obs or var, the index first: a group, or compound as before anndata 0.7."""
    if isinstance(table, h5py.Group) and "_index" in table.attrs:
        index = table.attrs["_index"]
        return [index, *(name for name in table if name not in (index, "__categories"))]
    if isinstance(table, h5py.Dataset) and table.dtype.names:
        return list(table.dtype.names)
    raise InputError(f"{table.name[1:]} of {path} is not a table. Write it again with anndata.")


def _table(table: h5py.Group | h5py.Dataset, columns: Sequence[str], path: Path) -> pd.DataFrame:
    """Read these columns and no other."""
    try:
        return pd.DataFrame({name: _values(table, name) for name in columns})
    except MemoryError:
        raise
    except Exception as error:  # anndata raises many kinds
        raise InputError(diagnosis(path, error, table.name[1:])) from error


def _values(table: h5py.Group | h5py.Dataset, name: str) -> ArrayLike:
    """Return a column as it is stored.

    subtle: anndata keeps the names of categories beside the codes; version 0.7 kept them behind a
    reference, and older ones in uns. `read_elem` knows the first way alone.
    """
    if isinstance(table, h5py.Dataset):
        values, categories = ad.io.read_elem(table)[name], f"uns/{name}_categories"
    else:
        values, categories = ad.io.read_elem(table[name]), table[name].attrs.get("categories", "")
    if not categories or (isinstance(categories, str) and categories not in table.file):
        return values
    return pd.Categorical.from_codes(values, ad.io.read_elem(table.file[categories]))


def _genes(table: h5py.Group | h5py.Dataset, path: Path) -> np.ndarray:
    names = pd.Index(_table(table, _names_in(table, path)[:1], path).iloc[:, 0].astype(str))
    if not names.str.strip().all():
        raise InputError(f"var of {path} has a gene without a name. Name every gene.")
    if not names.is_unique:
        repeated = names[names.duplicated()].unique()
        raise InputError(
            f"var of {path} names {len(repeated)} genes twice: {listed(repeated)}. "
            "Make the names unique, as anndata's var_names_make_unique does."
        )
    return names.to_numpy(dtype=str)


def _labels(labels: pd.Series, path: Path) -> np.ndarray:
    names = labels.astype(str)
    empty = labels.isna().to_numpy() | (names.str.strip() == "").to_numpy()
    if empty.any():
        raise InputError(
            f"obs['gene'] of {path} is empty for {empty.sum():,} cells; expected a knocked-out "
            "gene or 'NC' for each. Name them, or leave those cells out."
        )
    return names.to_numpy(dtype=str)
