"""Simulated cells drawn and written a block at a time."""

import anndata as ad
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
    file: h5py.File,
    world: World,
    knockouts: np.ndarray,
    pools: np.ndarray,
    seed: list[int],
    *,
    is_dense: bool = False,
    counts_layer: bool = False,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw cells and write their expression, and their counts if asked.

    Parameters
    ----------
    file
        Gets X, dense or CSR float64, and layers/counts, CSR float64.
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
    ad.io.write_elem(file, "layers", {})
    if is_dense:
        dense = file.create_dataset("X", (len(knockouts), len(world.genes)), np.float64)
        dense.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    for first in range(0, len(knockouts), CELLS_PER_DRAW):
        rows = slice(first, first + CELLS_PER_DRAW)
        rng = np.random.default_rng([*seed, first])
        cells = draw_cells(world, knockouts[rows], pools[rows], rng)
        x = cells.expression()
        if is_dense:
            dense[rows] = x
        else:
            _append(file, "X", x)
        if counts_layer:
            _append(file, "layers/counts", cells.counts)
        is_control = knockouts[rows] == -1
        sums += [x[is_control].sum(axis=0), x[~is_control].sum(axis=0)]
        flags = pd.DataFrame(cells.flags, columns=list(PROGRAM_FLAGS))
        facts.append(flags.assign(depth=cells.depth, n_genes=(x > 0).sum(axis=1)))
    n_control = (knockouts == -1).sum()
    numbers = np.array([[n_control], [len(knockouts) - n_control]])
    return pd.concat(facts, ignore_index=True), sums / np.maximum(numbers, 1)


def _append(file: h5py.File, name: str, rows: np.ndarray) -> None:
    """Put rows behind those of a CSR matrix, or begin it."""
    block = sparse.csr_array(rows, dtype=np.float64)
    if name in file:
        ad.io.sparse_dataset(file[name]).append(block)
    else:
        block.indptr = block.indptr.astype(np.int64)  # of matrices of any size
        ad.io.write_elem(file, name, block, dataset_kwargs={"chunks": (CHUNK,)})
