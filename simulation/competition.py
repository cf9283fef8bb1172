"""Make a competition of any size in the exact layout of broad-obesity-1, from a known truth.

    python -m simulation.competition OUT                                 # a tenth of the cells
    python -m simulation.competition OUT --cells 88202 --targets 2863    # full size
    python -m simulation.competition OUT --cells 44846 --genes 11046 --order perturbation    # small

X is written a block of cells at a time, so memory does not grow with the number of cells. The same
arguments give the same values. How like the competition they are: simulation/calibration.py.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from perturbation.competition import PROPORTIONS_FILE, TRAINING_FILE
from perturbation.errors import InputError
from simulation.cells import write_cells, write_frame
from simulation.files import labels_of, obs_of, write_lists, write_local_truth, write_proportions
from simulation.world import World, draw_world

# Published figures at full size, as shares.
CONTROL_SHARE = 8_705 / 88_202
TRUTH_SHARE = 4_437 / 88_202
STORED_SHARE = 702_842_190 / (88_202 * 21_592)

CELLS_A_PERTURBATION_SD = 0.4


@dataclass(frozen=True)
class Simulation:
    """What `simulate` made."""

    world: World
    """The truth; `draw_cells` gives cells of any of its knock-outs."""
    training: np.ndarray
    """(n_perturbations,) names of the knock-outs with training cells."""
    held_out: np.ndarray
    """(n_held_out,) names of those of the local ground truth."""
    targets: np.ndarray
    """(n_targets,) names of fresh knock-outs, whose cells are in no file."""


def simulate(
    path: str | Path,
    *,
    n_cells: int,
    n_genes: int,
    n_perturbations: int = 122,
    n_targets: int = 20,
    n_held_out: int = 5,
    n_pools: int = 8,
    order: str = "pool",
    counts_layer: bool = False,
    gene_sets: str | Path | None = None,
    n_threads: int = 2,
    seed: int = 0,
) -> Simulation:
    """Write a competition's data directory.

    Parameters
    ----------
    path
        Directory; made if missing, files of the same names replaced.
    n_cells
        Training cells, of which a tenth are controls, as published.
    n_genes
        Columns of X.
    n_perturbations
        Knock-outs with training cells.
    n_targets
        Fresh knock-outs; predict_perturbations.txt holds the held-out ones and these, shuffled.
    n_held_out
        Knock-outs of the local ground truth, at least one; 5 percent as many cells, as published.
    n_pools
        Pools of cells, ``SampleID``.
    order
        "pool": cells of a pool tend to stand together. "perturbation": sorted by gene, as in the
        small size.
    counts_layer
        Store the raw counts too, which doubles the file.
    gene_sets
        Where to write what is known about the genes: TSV, columns gene and set.
    n_threads
        Blocks drawn at a time, each of some ``256 * n_genes * 40`` bytes.
    seed
        Any whole number.

    Raises
    ------
    InputError
        If there are not four cells for each perturbation, and for control.
    """
    path = Path(path)
    fewest = 4 * (n_perturbations + 1)
    if n_cells < fewest:
        raise InputError(
            f"{n_cells:,} cells are too few for {n_perturbations:,} perturbations and control: "
            f"give at least {fewest:,}."
        )
    path.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 0])
    sizes = (n_perturbations, n_held_out, n_targets)
    world = draw_world(rng, n_genes=n_genes, n_knockouts=sum(sizes), n_pools=n_pools)
    parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    training, held_out, targets = (world.knockouts[part] for part in parts)

    n_control = int(np.clip(round(CONTROL_SHARE * n_cells), 4, n_cells - 4 * n_perturbations))
    rows = np.append(_spread(rng, parts[0], n_cells - n_control), np.full(n_control, -1))
    rows, pools = _in_file_order(rng, rows, n_pools, world, order)
    with h5py.File(path / TRAINING_FILE, "w") as file:
        cells = write_cells(file, world, rows, pools, counts_layer, n_threads, [seed, 1])
        write_frame(file, obs_of(rng, world, rows, pools, cells), world.genes, {})
    write_proportions(path / PROPORTIONS_FILE, world, rows, cells.flags)

    truth_rows = _spread(rng, parts[1], max(4 * n_held_out, round(TRUTH_SHARE * n_cells)))
    truth_rows, truth_pools = _in_file_order(rng, truth_rows, n_pools, world, order)
    write_local_truth(path, world, truth_rows, truth_pools, cells, [seed, 2])
    write_lists(path, rng, world, np.append(held_out, targets))
    if gene_sets:
        world.gene_sets.to_csv(gene_sets, sep="\t", index=False)
    return Simulation(world, training, held_out, targets)


def _spread(rng: np.random.Generator, rows: np.ndarray, n_cells: int) -> np.ndarray:
    """(n_cells,) rows repeated, each at least four times and some far more often than others."""
    weights = rng.lognormal(0, CELLS_A_PERTURBATION_SD, len(rows))
    return np.repeat(rows, 4 + rng.multinomial(n_cells - 4 * len(rows), weights / weights.sum()))


def _in_file_order(
    rng: np.random.Generator, rows: np.ndarray, n_pools: int, world: World, order: str
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and pools of the cells; those of one pool tend to stand together."""
    rows = rng.permutation(rows)
    pools = rng.integers(n_pools, size=len(rows))
    place = np.argsort(pools + rng.normal(0, 0.3, len(rows)))
    if order == "perturbation":
        place = place[np.argsort(labels_of(world, rows[place]), kind="stable")]
    return rows[place], pools[place]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="directory to write")
    parser.add_argument("--cells", dest="n_cells", type=int, default=8_820)
    parser.add_argument("--genes", dest="n_genes", type=int, default=21_592)
    parser.add_argument("--perturbations", dest="n_perturbations", type=int, default=122)
    parser.add_argument("--targets", dest="n_targets", type=int, default=286)
    parser.add_argument("--order", choices=("pool", "perturbation"), default="pool")
    parser.add_argument("--counts-layer", action="store_true")
    parser.add_argument("--gene-sets", type=Path, help="write what is known about the genes (TSV)")
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args())
    simulate(options.pop("out"), **options)


if __name__ == "__main__":
    main()
