"""How good the submission is on real cells: train, infer and score, fold by fold.

    python -m benchmarks.cells SCREEN.h5ad --folds 3
    python -m benchmarks.cells FOLD_DIRECTORY ...

SCREEN.h5ad holds cells x genes, raw counts or ln(1 + counts) in X, and the knock-out in obs['gene']
("NC" for controls); it is put into the competition's layout once a fold. A FOLD_DIRECTORY is in
that layout already. Truth and scores are those of local_test.py, on all genes asked for. Beside the
submission stand answers in which one part of it is exchanged; in brackets, what they score more. A
second table says what moving does to the cells that predictions are made of.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

import main
from benchmarks.screens import read_cells
from evaluation.command import RESOURCES, command_parser
from evaluation.crossval.contenders import control_proportions, mean_proportions
from evaluation.local.answers import (
    LocalTruth,
    constant_answer,
    read_local_truth,
    score_answer,
    written_answer,
)
from evaluation.local.stages import infer_values
from evaluation.scoring.metrics import METRICS
from evaluation.tables import aligned
from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL, PROGRAM_FLAGS, PROGRAMS
from perturbation.data.centroids import TrainingCentroids
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import Summary, summarise
from perturbation.model.cells import herded
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.parts import Predictor
from perturbation.model.predictors import ControlCentroid
from perturbation.output.model_file import load_model
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


CONSTANTS = {
    "the controls' proportions": control_proportions,
    "the mean proportions": mean_proportions,
    "the median proportions": median_proportions,
}


def make_folds(screen: Path, out: Path, n_folds: int, rng: np.random.Generator) -> list[Path]:
    """Write one competition a fold; every knock-out of enough cells is held out once.

    Cells are shuffled, so that the order of the screen's file plays no part.
    """
    counts, labels, genes = read_cells(screen)
    rows = rng.permutation(len(counts))
    names, obs = rows.astype(str), pd.DataFrame({"gene": labels[rows]})
    cells = ad.AnnData(counts[rows], obs.set_axis(names), pd.DataFrame(index=genes))
    knockouts = rng.permutation(sorted(set(labels) - {CONTROL_LABEL}))
    folds = [out / f"fold{fold}" for fold in range(n_folds)]
    for number, fold in enumerate(folds):
        held_out = knockouts[number::n_folds].tolist()
        write_competition(fold, cells, held_out, held_out, rng)
    return folds


def run_submission(data: Path, truth: LocalTruth, work: Path) -> None:
    """Train and infer the local ground truth's knock-outs, as the platform would."""
    shutil.copy(RESOURCES / GENE_FEATURES_FILE, work)
    main.train(str(data), str(work))
    main.infer(**infer_values(data, work, work, truth.perturbations, truth.genes))


def not_moved(summary: Summary) -> np.ndarray:
    """Choose the cells that ship, and leave them as they were measured."""
    perturbed = np.flatnonzero(summary.cell_labels != CONTROL_LABEL)
    return summary.cells[herded(summary.cells, perturbed, CELLS_PER_PERTURBATION)].toarray()


def describe_cells(cells: np.ndarray) -> dict[str, float]:
    """Share of zeros, mean variance of a gene, and counts per 100,000 of a cell, mean and sd."""
    totals = np.expm1(cells * np.log(2)).sum(axis=1, dtype=np.float64)
    return {
        "zeros": float((cells == 0).mean()),
        "variance": float(cells.var(axis=0, dtype=np.float64).mean()),
        "total": float(totals.mean()),
        "sd of total": float(totals.std()),
    }


def score_fold(data: Path) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Scores by knock-out of the submission and of it with a part exchanged; what cells are."""
    truth = read_local_truth(data)
    panel = [np.arange(len(truth.genes))]
    features = load_gene_features(RESOURCES / GENE_FEATURES_FILE)
    with tempfile.TemporaryDirectory() as work:
        run_submission(data, truth, Path(work))
        answer = written_answer(Path(work), truth.perturbations, truth.genes)
        scores = {"submission": score_answer(truth, answer, panel)}
        model = load_model(work)
    summary = summarise(open_dataset(data))
    plain = main.fit(summary, features, cells=not_moved)
    kinds = {
        "real": summary.cells[np.flatnonzero(summary.cell_labels != CONTROL_LABEL)].toarray(),
        "herded": plain.base_cells,
        "moved": model.base_cells,
    }
    asked = truth.perturbations, truth.genes
    predictions = {
        "its cells at the control": main.predict(
            model, features, *asked, predictor=ControlCentroid
        ),
        "its cells not moved": main.predict(plain, features, *asked),
    }
    for name, constant in CONSTANTS.items():
        predictions[name] = main.predict(model, features, *asked, proportions=constant)
    for name, prediction in predictions.items():
        scores[name] = score_answer(truth, prediction, panel)
    scores["control, one repeated row"] = score_answer(truth, constant_answer(truth), panel)
    return scores, pd.DataFrame({kind: describe_cells(cells) for kind, cells in kinds.items()}).T


def table(folds: list[dict[str, pd.DataFrame]]) -> str:
    """Mean over folds of the fold's mean, and what it is more than the submission's, paired."""
    rows = []
    for answer in folds[0]:
        row = [answer]
        for metric in METRICS:
            values = [fold[answer][metric] for fold in folds]
            mean, every = np.mean([one.mean() for one in values]), pd.concat(values)
            text = f"{mean:.4f} ± {every.sem():.4f}"
            if answer != "submission":
                gaps = every - pd.concat([fold["submission"][metric] for fold in folds])
                text = f"{mean:.4f} ({gaps.mean():+.4f} ± {gaps.sem():.4f})"
            row.append(text)
        rows.append(row)
    return aligned(["", *METRICS], rows)


def run(paths: list[Path], n_folds: int) -> None:
    """Score every fold and print the table."""
    with tempfile.TemporaryDirectory() as work:
        folds = paths
        if paths[0].is_file():
            folds = make_folds(paths[0], Path(work), n_folds, np.random.default_rng(0))
        scores, cells = zip(*[score_fold(fold) for fold in folds], strict=True)
        print(table(list(scores)))
        print(f"\nCells, mean of {len(folds)} folds:", sum(cells) / len(folds), sep="\n")


if __name__ == "__main__":
    parser = command_parser(__doc__)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--folds", type=int, default=3, help="default: 3")
    arguments = parser.parse_args()
    if missing := [path for path in arguments.paths if not path.exists()]:
        parser.error(f"{missing[0]} does not exist")
    run(arguments.paths, arguments.folds)
