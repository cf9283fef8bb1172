"""What a simulated competition's files hold beside the cells: obs, proportions, truth, lists."""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from perturbation.competition import (
    CONTROL_LABEL,
    GENES_FILE,
    LOCAL_PROPORTIONS_FILE,
    LOCAL_TRUTH_FILE,
    PERTURBATIONS_FILE,
    PROGRAM_FLAGS,
)
from simulation.cells import CellFacts, write_dense, write_frame
from simulation.world import World

SIGNATURE_FILE = "signature_genes.csv"

# Published figures at full size, as shares.
GENES_TO_PREDICT_SHARE = 10_238 / 21_592
SIGNATURE_SHARE = 888 / 21_592

GUIDES_PER_KNOCKOUT = 4
CONTROL_GUIDES = 113


def labels_of(world: World, rows: np.ndarray) -> np.ndarray:
    """(n,) object: name of the knock-out, NC for row -1."""
    return np.append(world.knockouts, CONTROL_LABEL).astype(object)[rows]


def _cell_names(n: int) -> list[str]:
    return [f"CELL{i:07d}" for i in range(n)]


def obs_of(
    rng: np.random.Generator, world: World, rows: np.ndarray, pools: np.ndarray, cells: CellFacts
) -> pd.DataFrame:
    """Columns of the organisers' obs, in their order."""
    n = len(rows)
    gene = labels_of(world, rows)
    guides = np.where(rows == -1, CONTROL_GUIDES, GUIDES_PER_KNOCKOUT)
    guide_counts = 1 + rng.poisson(20, n)
    columns = {
        "nCount_RNA": cells.depth,
        "nFeature_RNA": cells.n_genes_seen.astype(np.int32),
        "nCount_guide": guide_counts.astype(np.float64),
        "nFeature_guide": np.ones(n, np.int32),
        "percent.mt": rng.gamma(4, 0.6, n),
        "SampleID": [f"pool{i + 1}" for i in pools],
        "Day": np.full(n, "D14", object),
        "num_features": np.ones(n, np.int64),
        "feature_call": [
            f"{name}-{i + 1}" for name, i in zip(gene, rng.integers(guides), strict=True)
        ],
        "num_umis": guide_counts,
        "gene": gene,
    }
    flags = dict(zip(PROGRAM_FLAGS, cells.flags.T, strict=True))
    return pd.DataFrame(columns | flags, index=_cell_names(n))


def write_proportions(path: Path, world: World, rows: np.ndarray, flags: np.ndarray) -> None:
    """Write the observed share of cells in each program, by perturbation."""
    cells = pd.DataFrame(flags, columns=list(PROGRAM_FLAGS))
    table = cells.groupby(labels_of(world, rows)).mean().rename_axis("gene")
    adipo = table["adipo"].where(table["adipo"] > 0, 1)
    table.assign(lipo_adipo=table["lipo"] / adipo).to_csv(path)


def write_local_truth(
    path: Path,
    world: World,
    rows: np.ndarray,
    pools: np.ndarray,
    training_cells: CellFacts,
    seed: list[int],
) -> None:
    """Draw and write the held-out cells, their proportions and the training centroids."""
    centroids = {
        "control_centroid_train": training_cells.control_centroid,
        "perturbed_centroid_train": training_cells.perturbed_centroid,
    }
    obs = pd.DataFrame({"gene": labels_of(world, rows)}, _cell_names(len(rows)))
    with h5py.File(path / LOCAL_TRUTH_FILE, "w") as file:
        flags = write_dense(file, world, rows, pools, seed)
        write_frame(file, obs, world.genes, centroids)
    write_proportions(path / LOCAL_PROPORTIONS_FILE, world, rows, flags)


def write_lists(path: Path, rng: np.random.Generator, world: World, targets: np.ndarray) -> None:
    """Write the three lists: perturbations, genes to predict (the most expressed), signatures."""
    n_genes = len(world.genes)
    chosen = np.argsort(-world.log_fraction)[: round(GENES_TO_PREDICT_SHARE * n_genes)]
    _write_lines(path / GENES_FILE, world.genes[rng.permutation(chosen)])
    _write_lines(path / PERTURBATIONS_FILE, rng.permutation(targets))
    strongest = np.argsort(-world.loadings[: len(PROGRAM_FLAGS)], axis=1)
    of_each = max(1, round(SIGNATURE_SHARE * n_genes / len(PROGRAM_FLAGS)))
    lines = [
        f"{world.genes[i]},{program}"
        for program, genes in zip(PROGRAM_FLAGS, strongest, strict=True)
        for i in genes[:of_each]
    ]
    _write_lines(path / SIGNATURE_FILE, ["gene,program", *lines])


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
