"""How good the submission is on real cells: train, infer and score, fold by fold.

    python -m benchmarks.cells SCREEN.h5ad --folds 3
    python -m benchmarks.cells FOLD_DIRECTORY ...

SCREEN.h5ad holds cells x genes, raw counts or ln(1 + counts) in X, and the knock-out in obs['gene']
("NC" for controls); it is put into the competition's layout once a fold. A FOLD_DIRECTORY is in
that layout already. Truth and scores are those of local_test.py, on all genes asked for. Ways that
did not ship (benchmarks/ways_not_taken.py) are scored beside it on the same folds.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

import main
from benchmarks.ways_not_taken import other_answers
from evaluation.crossval.folds import read_once
from evaluation.local.answers import Answer, constant_answer, score_answer, written_answer
from evaluation.local.stages import infer_values
from evaluation.local.truth import LocalTruth, read_local_truth
from evaluation.scoring.metrics import METRICS
from perturbation.competition import CONTROL_LABEL
from perturbation.data.dataset import open_dataset
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.model.predictors import ControlCentroid
from perturbation.output.model_file import load_model
from tools.competition_layout import assign_programs, log_per_100k, write_competition

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
FEWEST_CELLS = 50


def read_cells(screen: Path) -> tuple[np.ndarray, np.ndarray, pd.Index]:
    """Counts (n, n_genes), or what is in proportion to them, labels (n,) and genes.

    Cells of knock-outs with few cells are left out.
    """
    cells = ad.read_h5ad(screen)
    x = cells.to_df().to_numpy()
    is_counts = np.array_equal(x[:100], np.round(x[:100]))
    labels = cells.obs["gene"].astype(str)
    kept = labels.map(labels.value_counts()).to_numpy() >= FEWEST_CELLS
    return (
        (x if is_counts else np.expm1(x))[kept],
        labels[kept].to_numpy(dtype=object),
        cells.var_names.astype(str),
    )


def make_folds(screen: Path, out: Path, n_folds: int, rng: np.random.Generator) -> list[Path]:
    """Write one competition a fold; every knock-out of enough cells is held out once.

    Cells are shuffled, so that the order of the screen's file plays no part.
    """
    counts, labels, genes = read_cells(screen)
    rows = rng.permutation(len(counts))
    counts, obs = counts[rows], pd.DataFrame({"gene": labels[rows]})
    x = log_per_100k(counts)
    obs = obs.join(assign_programs(x, (obs["gene"] == CONTROL_LABEL).to_numpy()))
    knockouts = rng.permutation(sorted(set(obs["gene"]) - {CONTROL_LABEL}))
    folds = [out / f"fold{fold}" for fold in range(n_folds)]
    for number, fold in enumerate(folds):
        held_out = knockouts[number::n_folds].tolist()
        write_competition(fold, counts, x, obs, genes, held_out, held_out, rng)
    return folds


def run_submission(data: Path, truth: LocalTruth, work: Path) -> None:
    """Train and infer the local ground truth's knock-outs, as the platform would."""
    shutil.copy(RESOURCES / GENE_FEATURES_FILE, work)
    main.train(str(data), str(work))
    main.infer(**infer_values(data, work, work, truth.perturbations, truth.genes))


def score_ways(data: Path) -> dict[tuple[str, str], pd.DataFrame]:
    """Scores by knock-out of every way not taken, keyed by the metric it is about and its name."""
    truth = read_local_truth(data)
    panel = [np.arange(len(truth.genes))]
    gene_features = load_gene_features(RESOURCES / GENE_FEATURES_FILE)
    dataset = open_dataset(data)
    summary, measured = read_once(dataset, np.arange(len(dataset.genes)))
    rng = np.random.default_rng(0)
    ways = other_answers(summary, measured.cells, truth, gene_features, rng)
    return {(metric, name): score_answer(truth, answer, panel) for metric, name, answer in ways}


def score_fold(data: Path) -> dict[str, pd.DataFrame]:
    """Scores by knock-out of the submission, of its cells at the control, and of the constant."""
    truth = read_local_truth(data)
    panel = [np.arange(len(truth.genes))]
    scores = {}
    with tempfile.TemporaryDirectory() as work:
        run_submission(data, truth, Path(work))
        scores["submission"] = score_answer(truth, written_answer(Path(work), truth.genes), panel)
        model = load_model(work)
    features = load_gene_features(RESOURCES / GENE_FEATURES_FILE)
    asked = truth.perturbations, truth.genes
    cells, shares = main.predict(model, features, *asked, predictor=ControlCentroid)
    of = dict(zip(truth.perturbations, (block.copy() for block in cells), strict=True))
    scores["its cells at the control"] = score_answer(truth, Answer(of.__getitem__, shares), panel)
    scores["control, one repeated row"] = score_answer(truth, constant_answer(truth), panel)
    return scores


def print_table(folds: list[dict[str, pd.DataFrame]]) -> None:
    """Mean over folds of the fold's mean, and the standard error over knock-outs."""
    print(f"{'':28}" + "".join(f"{name:>20}" for name in METRICS))
    for answer in folds[0]:
        every = pd.concat([fold[answer] for fold in folds])
        cells = [
            f"{np.mean([fold[answer][m].mean() for fold in folds]):.4f} ± {every[m].sem():.4f}"
            for m in METRICS
        ]
        print(f"{answer:28}" + "".join(f"{cell:>20}" for cell in cells))


def print_ways(
    submission: list[pd.DataFrame], ways: list[dict[tuple[str, str], pd.DataFrame]]
) -> None:
    """Mean difference of each way to the submission, and the standard error over knock-outs."""
    print("\nways not taken, minus the submission (above 0 is worse):")
    for metric, name in ways[0]:
        by_fold = [
            way[metric, name][metric] - own[metric]
            for way, own in zip(ways, submission, strict=True)
        ]
        mean, error = np.mean([d.mean() for d in by_fold]), pd.concat(by_fold).sem()
        print(f"{metric:6}{name:48}{mean:+.4f} ± {error:.4f}")


def run(paths: list[Path], n_folds: int) -> None:
    """Score every fold and print the table."""
    with tempfile.TemporaryDirectory() as work:
        folds = paths
        if paths[0].is_file():
            folds = make_folds(paths[0], Path(work), n_folds, np.random.default_rng(0))
        scores = [score_fold(fold) for fold in folds]
        print_table(scores)
        print_ways([score["submission"] for score in scores], [score_ways(fold) for fold in folds])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--folds", type=int, default=3, help="default: 3")
    arguments = parser.parse_args()
    if missing := [path for path in arguments.paths if not path.exists()]:
        parser.error(f"{missing[0]} does not exist")
    run(arguments.paths, arguments.folds)
