"""Simulated cells drawn and written a block at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import anndata as ad
import h5py
import numpy as np
from scipy import sparse

from simulation.h5ad_storage import append_csr, create_csr
from simulation.world import World, draw_cells

CELLS_PER_DRAW = 256
"""Fixed, so that the values drawn depend on nothing but the seed."""

EXPECTED_STORED_SHARE = 0.37


@dataclass(frozen=True)
class CellFacts:
    """What is kept of the cells of a file once they are written."""

    flags: np.ndarray
    """(n_cells, 4) int64 in the order of PROGRAM_FLAGS."""
    depth: np.ndarray
    """(n_cells,) float64 counts of the whole transcriptome."""
    n_genes_seen: np.ndarray
    """(n_cells,) int64 stored values of each row."""
    control_centroid: np.ndarray
    """(n_genes,) float64."""
    perturbed_centroid: np.ndarray
    """(n_genes,) float64, mean of all cells that are not controls."""
    variance: np.ndarray
    """(n_genes,) float64 over all cells."""

    @property
    def stored_values(self) -> int:
        """Values stored in X."""
        return int(self.n_genes_seen.sum())


class _Block(NamedTuple):
    """Cells drawn together, the first of them at row `first`."""

    first: int
    flags: np.ndarray
    depth: np.ndarray
    counts: sparse.csr_array
    values: sparse.csr_array
    sums: np.ndarray


def write_cells(
    file: h5py.File,
    world: World,
    knockouts: np.ndarray,
    pools: np.ndarray,
    *,
    counts_layer: bool,
    n_threads: int,
    seed: list[int],
) -> CellFacts:
    """Draw cells and write them as X, and their counts as a layer if asked.

    Parameters
    ----------
    file
        Open for writing.
    world
        The truth.
    knockouts, pools
        (n_cells,) what `draw_cells` takes.
    counts_layer
        Write layers/counts too.
    n_threads
        Blocks drawn at a time.
    seed
        Block i is drawn from `[*seed, i]`.
    """
    shape = (len(knockouts), len(world.genes))
    n_stored = int(EXPECTED_STORED_SHARE * shape[0] * shape[1])
    x = create_csr(file, "X", shape, n_stored)
    ad.io.write_elem(file, "layers", {})
    layer = create_csr(file["layers"], "counts", shape, n_stored) if counts_layer else None

    def draw(first: int) -> _Block:
        rows = slice(first, first + CELLS_PER_DRAW)
        rng = np.random.default_rng([*seed, first // CELLS_PER_DRAW])
        cells = draw_cells(world, knockouts[rows], pools[rows], rng)
        counts = _as_csr(cells.counts)
        values = _expression(counts, cells.depth)
        sums = _sums(values, knockouts[rows])
        return _Block(first, cells.flags, cells.depth, counts, values, sums)

    sums, flags, depth = np.zeros((3, shape[1])), [], []
    for block in _in_threads(draw, range(0, shape[0], CELLS_PER_DRAW), n_threads):
        append_csr(x, block.first, block.values)
        if layer:
            append_csr(layer, block.first, block.counts)
        flags.append(block.flags)
        depth.append(block.depth)
        sums += block.sums
    n_control = (knockouts == -1).sum()
    return CellFacts(
        flags=np.concatenate(flags),
        depth=np.concatenate(depth),
        n_genes_seen=np.diff(x["indptr"][:].astype(np.int64)),
        control_centroid=sums[0] / n_control,
        perturbed_centroid=sums[1] / (shape[0] - n_control),
        variance=sums[2] / shape[0] - ((sums[0] + sums[1]) / shape[0]) ** 2,
    )


def write_dense(
    file: h5py.File, world: World, knockouts: np.ndarray, pools: np.ndarray, seed: list[int]
) -> np.ndarray:
    """Draw cells and write them as a dense float64 X; return their flags, (n_cells, 4)."""
    x = file.create_dataset("X", (len(knockouts), len(world.genes)), np.float64)
    x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    flags = []
    for first in range(0, len(knockouts), CELLS_PER_DRAW):
        rows = slice(first, first + CELLS_PER_DRAW)
        rng = np.random.default_rng([*seed, first // CELLS_PER_DRAW])
        cells = draw_cells(world, knockouts[rows], pools[rows], rng)
        x[rows] = cells.expression()
        flags.append(cells.flags)
    return np.concatenate(flags)


def _as_csr(counts: np.ndarray) -> sparse.csr_array:
    """Keep the positive values of a dense matrix; float64 values, int32 indices."""
    n_rows, n_columns = counts.shape
    flat = np.flatnonzero(counts)
    indptr = np.searchsorted(flat, np.arange(n_rows + 1) * n_columns)
    indices = flat - np.repeat(np.arange(n_rows) * n_columns, np.diff(indptr))
    values = counts.ravel()[flat].astype(np.float64)
    return sparse.csr_array((values, indices.astype(np.int32), indptr), counts.shape)


def _expression(counts: sparse.csr_array, depth: np.ndarray) -> sparse.csr_array:
    """log2(1 + counts per 100,000), in the places of the counts."""
    values = counts.data * np.repeat(1e5 / depth, np.diff(counts.indptr))
    return sparse.csr_array((np.log2(1 + values), counts.indices, counts.indptr), counts.shape)


def _sums(values: sparse.csr_array, knockouts: np.ndarray) -> np.ndarray:
    """(3, G): sum over controls, sum over the others, sum of squares."""
    control = (knockouts == -1).astype(np.float64)
    sums = values.T @ np.column_stack([control, 1 - control])
    return np.vstack([sums.T, values.power(2).sum(axis=0)])


def _in_threads(
    function: Callable[[int], _Block], items: Iterable[int], n_threads: int
) -> Iterator[_Block]:
    """`map` in threads, in order, with at most `n_threads` results waiting."""
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[Future[_Block]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
