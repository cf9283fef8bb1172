"""Make a competition of any size in the exact layout of broad-obesity-1, from a known truth.

    python -m simulation.competition OUT                                 # a tenth of the cells
    python -m simulation.competition OUT --cells 88202 --targets 2863    # full size
    python -m simulation.competition OUT --cells 44846 --genes 11046    # small

X is written a block of cells at a time, so memory does not grow with the number of cells. The same
arguments give the same values. How like the competition they are: simulation/calibration.py.
"""

import argparse
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import (
    CONTROL_LABEL,
    LOCAL_PROPORTIONS_FILE,
    LOCAL_TRUTH_FILE,
    PROGRAM_FLAGS,
    PROPORTIONS_FILE,
    TRAINING_FILE,
)
from simulation.world import World, draw_cells, draw_world
from tools.competition_layout import write_lists, write_proportions

# Published figures at full size, as shares.
CONTROL_SHARE = 8_705 / 88_202
TRUTH_SHARE = 4_437 / 88_202
STORED_SHARE = 702_842_190 / (88_202 * 21_592)
GENES_TO_PREDICT_SHARE = 10_238 / 21_592

GUIDES_PER_KNOCKOUT, CONTROL_GUIDES = 4, 113

CELLS_A_PERTURBATION_SD = 0.4
CELLS_PER_DRAW = 256
"""Fixed, so that the values drawn depend on nothing but the seed."""
CHUNK = 2**16
"""Stored values in a chunk of the file."""


def simulate(
    path: str | Path,
    *,
    n_cells: int,
    n_genes: int,
    n_perturbations: int = 122,
    n_targets: int = 20,
    n_held_out: int = 5,
    counts_layer: bool = False,
    gene_sets: str | Path | None = None,
    seed: int = 0,
) -> World:
    """Write a competition's data directory.

    Parameters
    ----------
    path
        Directory; made if missing, files of the same names replaced.
    n_cells
        Training cells, of which a tenth are controls, as published; at least four for each
        perturbation and for control.
    n_genes
        Columns of X.
    n_perturbations
        Knock-outs with training cells.
    n_targets
        Fresh knock-outs; predict_perturbations.txt holds the held-out ones and these, shuffled.
    n_held_out
        Knock-outs of the local ground truth, at least one; 5 percent as many cells, as published.
    counts_layer
        Store the raw counts too, which doubles the file.
    gene_sets
        Where to write what is known about the genes: TSV, columns gene and set.
    seed
        Any whole number.

    Returns
    -------
    World, the truth; its knock-outs are those of training, held out, and fresh, in this order.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 0])
    sizes = (n_perturbations, n_held_out, n_targets)
    world = draw_world(rng, n_genes=n_genes, n_knockouts=sum(sizes))
    training, held_out, _ = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])

    n_control = int(np.clip(round(CONTROL_SHARE * n_cells), 4, n_cells - 4 * n_perturbations))
    rows = np.append(_spread(rng, training, n_cells - n_control), np.full(n_control, -1))
    files = path / TRAINING_FILE, path / PROPORTIONS_FILE
    control, perturbed = _write_files(files, world, rows, rng, [seed, 1], counts_layer=counts_layer)

    rows = _spread(rng, held_out, max(4 * n_held_out, round(TRUTH_SHARE * n_cells)))
    files = path / LOCAL_TRUTH_FILE, path / LOCAL_PROPORTIONS_FILE
    centroids = {"control_centroid_train": control, "perturbed_centroid_train": perturbed}
    _write_files(files, world, rows, rng, [seed, 2], truth_of=centroids)

    most_expressed = np.argsort(-world.log_fraction)[: round(GENES_TO_PREDICT_SHARE * n_genes)]
    genes = world.genes[rng.permutation(most_expressed)]
    write_lists(path, genes, rng.permutation(world.knockouts[n_perturbations:]))
    if gene_sets:
        world.gene_sets.to_csv(gene_sets, sep="\t", index=False)
    return world


def _spread(rng: np.random.Generator, rows: np.ndarray, n_cells: int) -> np.ndarray:
    """(n_cells,) rows repeated, each at least four times and some far more often than others."""
    weights = rng.lognormal(0, CELLS_A_PERTURBATION_SD, len(rows))
    return np.repeat(rows, 4 + rng.multinomial(n_cells - 4 * len(rows), weights / weights.sum()))


def _write_files(
    paths: tuple[Path, Path],
    world: World,
    rows: np.ndarray,
    rng: np.random.Generator,
    seed: list[int],
    *,
    counts_layer: bool = False,
    truth_of: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Write cells and the observed share of them in each program; `truth_of` goes into uns.

    The local ground truth is dense, and of its cells the knock-out alone is told. The block that
    starts at row i is drawn from `[*seed, i]`. Returned are the means of the controls and of all
    other cells, (2, n_genes).
    """
    pools = rng.integers(len(world.pool_shift), size=len(rows))
    pools = pools[np.argsort(pools + rng.normal(0, 0.3, len(rows)))]  # a pool's stand together
    rows = rng.permutation(rows)
    is_control, labels = rows == -1, np.append(world.knockouts, CONTROL_LABEL).astype(object)[rows]
    sums, facts = np.zeros((2, len(world.genes))), []
    with h5py.File(paths[0], "w") as file:
        ad.io.write_elem(file, "layers", {})
        for first in range(0, len(rows), CELLS_PER_DRAW):
            block = slice(first, first + CELLS_PER_DRAW)
            of_block = np.random.default_rng([*seed, first])
            cells = draw_cells(world, rows[block], pools[block], of_block)
            x = cells.expression()
            _append(file, "X", x if truth_of else sparse.csr_array(x))
            if counts_layer:
                _append(file["layers"], "counts", sparse.csr_array(cells.counts, dtype=np.float64))
            sums += [x[is_control[block]].sum(axis=0), x[~is_control[block]].sum(axis=0)]
            flags = pd.DataFrame(cells.flags, columns=list(PROGRAM_FLAGS))
            facts.append(flags.assign(depth=cells.depth, n_genes=(x > 0).sum(axis=1)))
        all_facts = pd.concat(facts, ignore_index=True)
        obs = pd.DataFrame({"gene": labels})
        if not truth_of:
            obs = _obs_of(rng, labels, pools, all_facts)
        strings = obs.select_dtypes(exclude="number")
        obs = obs.astype(dict.fromkeys(strings, "category")).rename(index="CELL{:07d}".format)
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        parts = {"obs": obs, "var": pd.DataFrame(index=world.genes), "uns": truth_of or {}}
        for name, part in parts.items():
            ad.io.write_elem(file, name, part)
    write_proportions(paths[1], labels, all_facts)
    return sums / np.maximum([[is_control.sum()], [(~is_control).sum()]], 1)


def _append(group: h5py.Group, name: str, rows: np.ndarray | sparse.csr_array) -> None:
    """Put rows behind those of a dense or CSR matrix, or begin it."""
    if isinstance(rows, np.ndarray):
        shape = {"maxshape": (None, rows.shape[1])}
        if name not in group:
            ad.io.write_elem(group, name, rows, dataset_kwargs=shape)
        else:
            group[name].resize(len(group[name]) + len(rows), axis=0)
            group[name][-len(rows) :] = rows
    elif name in group:
        ad.io.sparse_dataset(group[name]).append(rows)
    else:
        rows.indptr = rows.indptr.astype(np.int64)  # of matrices of any size
        ad.io.write_elem(group, name, rows, dataset_kwargs={"chunks": (CHUNK,)})


def _obs_of(
    rng: np.random.Generator, gene: np.ndarray, pools: np.ndarray, facts: pd.DataFrame
) -> pd.DataFrame:
    """Columns of the organisers' obs, in their order, of what is told of the cells."""
    n = len(gene)
    guides = rng.integers(np.where(gene == CONTROL_LABEL, CONTROL_GUIDES, GUIDES_PER_KNOCKOUT))
    guide_counts = 1 + rng.poisson(20, n)
    columns = {
        "nCount_RNA": facts["depth"],
        "nFeature_RNA": facts["n_genes"].astype(np.int32),
        "nCount_guide": guide_counts.astype(np.float64),
        "nFeature_guide": np.ones(n, np.int32),
        "percent.mt": rng.gamma(4, 0.6, n),
        "SampleID": [f"pool{i + 1}" for i in pools],
        "Day": "D14",
        "num_features": 1,
        "feature_call": [f"{name}-{i + 1}" for name, i in zip(gene, guides, strict=True)],
        "num_umis": guide_counts,
        "gene": gene,
    }
    return pd.DataFrame(columns).join(facts[list(PROGRAM_FLAGS)])


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="directory to write")
    sizes = {"cells": 8_820, "genes": 21_592, "perturbations": 122, "targets": 286}
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", dest=f"n_{name}", type=int, default=size)
    parser.add_argument("--counts-layer", action="store_true")
    parser.add_argument("--gene-sets", type=Path, help="write what is known about the genes (TSV)")
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args())
    simulate(options.pop("out"), **options)


if __name__ == "__main__":
    main()
