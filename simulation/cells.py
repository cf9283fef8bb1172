"""Simulated cells drawn and written a block at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from simulation.world import Cells, World, draw_cells

CELLS_PER_DRAW = 256
"""Fixed, so that the values drawn depend on nothing but the seed."""
CHUNK = 2**16
"""Stored values in a chunk of the file."""


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


def write_cells(
    file: h5py.File,
    world: World,
    knockouts: np.ndarray,
    pools: np.ndarray,
    counts_layer: bool,
    n_threads: int,
    seed: list[int],
) -> CellFacts:
    """Draw cells and write them as a sparse X, and their counts as a layer if asked.

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
    x = _create_csr(file, "X", shape)
    ad.io.write_elem(file, "layers", {})
    layer = _create_csr(file["layers"], "counts", shape) if counts_layer else None
    sums, flags, depth, seen = np.zeros((2, shape[1])), [], [], []
    for first, cells, values in _blocks(world, knockouts, pools, seed, n_threads):
        stored = sparse.csr_array(values)
        _append_csr(x, first, stored)
        if layer:
            _append_csr(layer, first, sparse.csr_array(cells.counts, dtype=np.float64))
        is_control = knockouts[first : first + len(values)] == -1
        sums += [values[is_control].sum(axis=0), values[~is_control].sum(axis=0)]
        flags.append(cells.flags)
        depth.append(cells.depth)
        seen.append(np.diff(stored.indptr))
    n_control = (knockouts == -1).sum()
    centroids = sums / [[n_control], [shape[0] - n_control]]
    return CellFacts(*(np.concatenate(part) for part in (flags, depth, seen)), *centroids)


def write_dense(
    file: h5py.File, world: World, knockouts: np.ndarray, pools: np.ndarray, seed: list[int]
) -> np.ndarray:
    """Draw cells and write them as a dense float64 X; return their flags, (n_cells, 4)."""
    x = file.create_dataset("X", (len(knockouts), len(world.genes)), np.float64)
    x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    flags = []
    for first, cells, values in _blocks(world, knockouts, pools, seed, n_threads=1):
        x[first : first + len(values)] = values
        flags.append(cells.flags)
    return np.concatenate(flags)


def write_frame(
    file: h5py.File, obs: pd.DataFrame, genes: np.ndarray, uns: dict[str, np.ndarray]
) -> None:
    """Write all that an h5ad file holds beside X and layers; strings of `obs` as categories."""
    strings = [name for name in obs if not pd.api.types.is_numeric_dtype(obs[name])]
    file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    ad.io.write_elem(file, "obs", obs.astype(dict.fromkeys(strings, "category")))
    ad.io.write_elem(file, "var", pd.DataFrame(index=genes))
    ad.io.write_elem(file, "uns", uns)
    for name in sorted({"layers", "obsm", "obsp", "varm", "varp"} - file.keys()):
        ad.io.write_elem(file, name, {})


def _blocks(
    world: World, knockouts: np.ndarray, pools: np.ndarray, seed: list[int], n_threads: int
) -> Iterator[tuple[int, Cells, np.ndarray]]:
    """Yield the first row of each block, its cells and their expression, in order."""

    def draw(first: int) -> tuple[int, Cells, np.ndarray]:
        rows = slice(first, first + CELLS_PER_DRAW)
        rng = np.random.default_rng([*seed, first // CELLS_PER_DRAW])
        cells = draw_cells(world, knockouts[rows], pools[rows], rng)
        return first, cells, cells.expression()

    firsts = range(0, len(knockouts), CELLS_PER_DRAW)
    with ThreadPoolExecutor(n_threads) as pool:
        for i in range(0, len(firsts), n_threads):
            yield from pool.map(draw, firsts[i : i + n_threads])


def _create_csr(parent: h5py.Group, name: str, shape: tuple[int, int]) -> h5py.Group:
    """Create an empty CSR matrix; `_append_csr` fills it, ten times faster than anndata's own."""
    group = parent.create_group(name)
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = np.array(shape)
    for part, dtype in (("data", np.float64), ("indices", np.int32)):
        group.create_dataset(part, (0,), dtype, maxshape=(None,), chunks=(CHUNK,))
    index = np.int32 if shape[0] * shape[1] < 2**32 else np.int64
    group.create_dataset("indptr", data=np.zeros(shape[0] + 1, index))
    return group


def _append_csr(group: h5py.Group, first_row: int, block: sparse.csr_array) -> None:
    start, last_row = len(group["data"]), first_row + block.shape[0]
    for part in ("data", "indices"):
        group[part].resize((start + block.nnz,))
        group[part][start:] = getattr(block, part)
    group["indptr"][first_row + 1 : last_row + 1] = start + block.indptr[1:].astype(np.int64)
