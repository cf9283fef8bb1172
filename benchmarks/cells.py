"""How good the submission is on real cells, beside the baselines and with a part exchanged.

    python -m benchmarks.cells SCREEN.h5ad --folds 3

SCREEN.h5ad holds cells x genes, raw counts or ln(1 + counts) in X, and the knock-out in obs['gene']
("NC" for controls); it is put into the competition's layout, and every knock-out is held out once,
as `local_test.py --cv` does it, and scored on all genes asked for. Beside the submission stand
the baselines, its cells not moved and other proportions; in brackets, what they score more. A
second table says what moving does to the cells that predictions are made of.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

import main
from benchmarks.examples import table
from evaluation.command import RESOURCES, command_parser
from evaluation.crossval.baselines import BASELINES
from evaluation.crossval.comparison import compare
from evaluation.crossval.contenders import SHIPPED, Contender
from evaluation.crossval.fast import cross_validate, gather
from evaluation.crossval.folds import Settings, SharedData
from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL, PROGRAM_FLAGS, PROGRAMS
from perturbation.data.summary import Summary, TrainingCentroids
from perturbation.model.cells import herded
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import Predictor
from tools.competition_layout import write_competition


def median_proportions(
    training: TrainingCentroids,
    gene_features: GeneFeatures | None,
    predictor: Predictor | None,
    perturbations: Sequence[str],
) -> pd.DataFrame:
    """Give every perturbation the median proportions of the training knock-outs."""
    row = training.proportions.drop(index=CONTROL_LABEL)[list(PROGRAM_FLAGS)].median()
    row[list(PROGRAMS)] /= row[list(PROGRAMS)].sum()
    return pd.DataFrame([row] * len(perturbations), index=list(perturbations))


def not_moved(summary: Summary) -> np.ndarray:
    """Choose the cells that ship, and leave them as they were measured."""
    perturbed = np.flatnonzero(summary.cell_labels != CONTROL_LABEL)
    return summary.cells[herded(summary.cells, perturbed, CELLS_PER_PERTURBATION)].toarray()


CONTENDERS = (
    SHIPPED,
    Contender("its cells not moved", cells="benchmarks.cells:not_moved"),
    Contender("the median proportions", proportions="benchmarks.cells:median_proportions"),
)


def read_cells(screen: Path) -> tuple[np.ndarray, np.ndarray, pd.Index]:
    """Counts (n, n_genes), or what is in proportion to them, labels (n,) and genes."""
    cells = ad.read_h5ad(screen)
    x, labels = cells.to_df().to_numpy(), cells.obs["gene"].astype(str).to_numpy(dtype=object)
    is_counts = np.array_equal(x[:100], np.round(x[:100]))
    return x if is_counts else np.expm1(x), labels, cells.var_names.astype(str)


def shared_of(screen: Path, n_folds: int) -> SharedData:
    """Put a screen into the competition's layout and read it; cells are shuffled."""
    counts, labels, genes = read_cells(screen)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(counts))
    obs = pd.DataFrame({"gene": labels[rows]}, rows.astype(str))
    cells = ad.AnnData(counts[rows], obs, pd.DataFrame(index=genes))
    with tempfile.TemporaryDirectory() as data:
        write_competition(Path(data), cells, [], sorted(set(labels) - {CONTROL_LABEL}), rng)
        settings = Settings(n_folds, panel=("random", len(genes), 1))
        return gather(Path(data), RESOURCES, CONTENDERS, settings)


def describe_cells(shared: SharedData) -> pd.DataFrame:
    """Share of zeros, mean variance of a gene, and counts per 100,000 of a cell, mean and sd."""
    summary, features = shared.summary, shared.contenders[SHIPPED]
    kinds = {
        "real perturbed cells": summary.cells[summary.cell_labels != CONTROL_LABEL].toarray(),
        "herded": main.fit(summary, features, cells=not_moved).base_cells,
        "herded and moved": main.fit(summary, features).base_cells,
    }
    rows = {}
    for kind, cells in kinds.items():
        totals = np.expm1(cells * np.log(2)).sum(axis=1, dtype=np.float64)
        variance = cells.var(axis=0, dtype=np.float64).mean()
        rows[kind] = [(cells == 0).mean(), variance, totals.mean(), totals.std()]
    columns = ["zeros", "variance of a gene", "counts of a cell", "sd of counts"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


if __name__ == "__main__":
    parser = command_parser(__doc__)
    parser.add_argument("screen", type=Path)
    parser.add_argument("--folds", type=int, default=3, help="default: 3")
    options = parser.parse_args()
    gathered = shared_of(options.screen, options.folds)
    comparisons = compare(cross_validate(gathered).scores, len(BASELINES))
    print(table(comparisons).to_string(), describe_cells(gathered).round(3), sep="\n\n")
