"""Reads cells and proportions from files, one perturbation at a time."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import GENES_FILE, PROGRAM_FLAGS, TRAINING_FILE
from perturbation.errors import InputError, reason


class CellsFile:
    """An h5ad file whose cells are read one perturbation at a time.

    Parameters
    ----------
    path
        X dense or CSR; obs['gene'] the perturbation of each cell.

    Raises
    ------
    InputError
        If the file is missing or unreadable, or has no obs['gene'].
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"{path} is missing. Run `crunch download` or `crunch test`.")
        try:
            with h5py.File(path) as file:
                obs, var = ad.io.read_elem(file["obs"]), ad.io.read_elem(file["var"])
                self.uns = ad.io.read_elem(file["uns"]) if "uns" in file else {}
        except (OSError, KeyError) as error:
            raise InputError(
                f"{path} cannot be read as h5ad ({reason(error)}). Download it or make it again."
            ) from error
        if "gene" not in obs:
            raise InputError(f"{path} has no obs['gene']; found {', '.join(obs) or 'nothing'}.")
        self.path = path
        self.labels = obs["gene"].astype(str).to_numpy()
        self.genes = pd.Index(var.index.astype(str))

    def columns_of(self, genes: list[str]) -> np.ndarray:
        """(len(genes),) column of each gene; InputError if one is not there."""
        columns = self.genes.get_indexer(genes)
        if (columns < 0).any():
            missing = [gene for gene, column in zip(genes, columns, strict=True) if column < 0]
            raise InputError(
                f"{len(missing):,} of {len(genes):,} {GENES_FILE} are not in {self.path}, first: "
                f"{', '.join(missing[:2])}. Both must come from one download."
            )
        return columns

    def cells(self, perturbation: str, columns: np.ndarray) -> np.ndarray:
        """(n_cells, len(columns)) of one perturbation in file order, in the type of the file."""
        rows = np.flatnonzero(self.labels == perturbation)
        with h5py.File(self.path) as file:
            stored = file["X"]
            if isinstance(stored, h5py.Group):
                return ad.io.sparse_dataset(stored)[rows].toarray()[:, columns]
            is_run = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
            return stored[slice(rows[0], rows[-1] + 1) if is_run else rows][:, columns]


def read_proportions(path: Path) -> pd.DataFrame:
    """Read a table of proportions: index perturbation, columns `PROGRAM_FLAGS`."""
    try:
        return pd.read_csv(path, index_col="gene")[list(PROGRAM_FLAGS)].astype(np.float64)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Run `crunch download` or `crunch test`.") from error
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a table of proportions ({reason(error)}); expected the columns gene, "
            f"{', '.join(PROGRAM_FLAGS)}. Download it or make it again."
        ) from error


def sample_training_cells(
    data: Path, n_slabs: int = 20, cells_per_slab: int = 100
) -> tuple[sparse.csr_array, pd.Index]:
    """Read runs of training cells, spread over the file: enough to rank genes by variance.

    Returns
    -------
    cells
        (at most n_slabs * cells_per_slab, n_genes), log2(1 + counts per 100,000).
    genes
        Names of the columns.
    """
    if not (data / TRAINING_FILE).is_file():
        raise InputError(f"{data / TRAINING_FILE} is missing. Run `crunch download`.")
    file = ad.read_h5ad(data / TRAINING_FILE, backed="r")
    starts = np.linspace(0, max(0, file.n_obs - cells_per_slab), n_slabs).astype(int)
    slabs = [
        sparse.csr_array(file.X[start : start + cells_per_slab]) for start in np.unique(starts)
    ]
    genes = file.var_names.astype(str)
    file.file.close()
    return sparse.vstack(slabs, format="csr"), genes
