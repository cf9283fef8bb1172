"""Simulated cells drawn and written a block at a time."""

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import PROGRAM_FLAGS
from simulation.world import World, draw_cells

CELLS_PER_DRAW = 256
"""Fixed, so that the values drawn depend on nothing but the seed."""
CHUNK = 2**16
"""Stored values in a chunk of the file."""


def write_cells(
    matrices: dict[str, h5py.Group | h5py.Dataset],
    world: World,
    knockouts: np.ndarray,
    pools: np.ndarray,
    seed: list[int],
) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw cells and write their expression, and their counts if asked.

    Parameters
    ----------
    matrices
        Under "X", and perhaps "counts", an empty dataset (n_cells, n_genes), or what `create_csr`
        makes.
    world
        The truth.
    knockouts, pools
        (n_cells,) what `draw_cells` takes.
    seed
        The block that starts at row i is drawn from `[*seed, i]`.

    Returns
    -------
    facts
        One row a cell, columns PROGRAM_FLAGS, depth and n_genes, the stored values.
    centroids
        (2, n_genes) float64, mean of the controls and of all other cells; NaN of none.
    """
    sums, facts = np.zeros((2, len(world.genes))), []
    for first in range(0, len(knockouts), CELLS_PER_DRAW):
        rows = slice(first, first + CELLS_PER_DRAW)
        rng = np.random.default_rng([*seed, first])
        cells = draw_cells(world, knockouts[rows], pools[rows], rng)
        x = cells.expression()
        for name, matrix in matrices.items():
            _write_rows(matrix, first, x if name == "X" else cells.counts)
        is_control = knockouts[rows] == -1
        sums += [x[is_control].sum(axis=0), x[~is_control].sum(axis=0)]
        flags = pd.DataFrame(cells.flags, columns=list(PROGRAM_FLAGS))
        facts.append(flags.assign(depth=cells.depth, n_genes=(x > 0).sum(axis=1)))
    n_control = (knockouts == -1).sum()
    numbers = np.array([[n_control], [len(knockouts) - n_control]])
    return pd.concat(facts, ignore_index=True), sums / np.maximum(numbers, 1)


def create_csr(parent: h5py.Group, name: str, shape: tuple[int, int]) -> h5py.Group:
    """Create an empty CSR matrix, filled row by row ten times faster than by anndata's own."""
    group = parent.create_group(name)
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = np.array(shape)
    for part, dtype in (("data", np.float64), ("indices", np.int32)):
        group.create_dataset(part, (0,), dtype, maxshape=(None,), chunks=(CHUNK,))
    index = np.int32 if shape[0] * shape[1] < 2**32 else np.int64
    group.create_dataset("indptr", data=np.zeros(shape[0] + 1, index))
    return group


def _write_rows(matrix: h5py.Group | h5py.Dataset, first: int, rows: np.ndarray) -> None:
    if isinstance(matrix, h5py.Dataset):
        matrix[first : first + len(rows)] = rows
        return
    block, start = sparse.csr_array(rows, dtype=np.float64), len(matrix["data"])
    for part in ("data", "indices"):
        matrix[part].resize((start + block.nnz,))
        matrix[part][start:] = getattr(block, part)
    matrix["indptr"][first + 1 : first + len(rows) + 1] = start + block.indptr[1:].astype(np.int64)
