"""What ships on screens, beside what is simpler; `python -m benchmarks.worlds FILE ...` prints it.

FILE.npz holds perturbations (p,), genes (g,) and values (p, g), log fold changes; control is 0, and
`expression` (g,), counts per million of control cells, is used where a file has it. FILE.h5ad holds
cells, as for benchmarks.cells. In each random split a quarter of the knock-outs, at most 100, is
predicted from the others, at most 122. The score is the Pearson correlation of predicted with true
effects, both relative to the mean of the training cells, without the knocked-out gene itself; on
all genes of a file, or on the 1,000 that vary most over the training rows where a file has the
`expression` of all. Large screens get fewer splits than asked, so that about 1,000 predictions are
scored. Differences are paired by knock-out; their standard error is over knock-outs.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

import main as submission
from evaluation.crossval.baselines import BilinearRegression, ControlCentroid
from evaluation.scoring.metrics import pearson_delta
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.summary import TrainingCentroids
from perturbation.model.direction_mix import PARTS
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import Predictor
from perturbation.model.predictors import Blend, OwnTranscript
from perturbation.progress import progress
from tools.competition_layout import log_per_100k

MOST_TRAINED, MOST_PREDICTED, MOST_SCORED = 122, 100, 1000
N_PANEL = 1000
FEWEST_CELLS = 50
SHIPPED, SHUFFLED = "ships", "shuffled"


def without(part: str) -> Predictor:
    """Return what ships without one part of the mix."""
    return OwnTranscript(Blend([other for other in PARTS if other != part]))


CONTENDERS: dict[str, Callable[[], Predictor]] = {
    SHIPPED: submission.shipped_predictor,
    "control": ControlCentroid,
    "mean": lambda: Blend(["mean"]),
    "regression": BilinearRegression,
    "no own gene": lambda: without("own gene"),
    "no process": lambda: without("process"),
    SHUFFLED: submission.shipped_predictor,
}


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


def read_screen(path: Path) -> tuple[TrainingCentroids, int]:
    """All knock-outs of an npz file of signatures, or of cells, and how many genes to score."""
    if path.suffix == ".h5ad":
        counts, labels, genes = read_cells(path)
        centroids = pd.DataFrame(log_per_100k(counts), columns=genes).groupby(labels).mean()
        control = centroids.loc[CONTROL_LABEL].to_numpy()
        centroids, n_cells = centroids.drop(index=CONTROL_LABEL), pd.Series(labels).value_counts()
        n_panel = len(genes)
    else:
        file = np.load(path, allow_pickle=False)
        genes, values = file["genes"], file["values"].astype(np.float64)
        # Predictors keep expression at 0 or above; levels are raised to where that plays no part.
        control = np.full(len(genes), 10 * np.abs(values).max())
        n_panel = len(genes)
        if "expression" in file.files:
            control += np.log2(1 + file["expression"] / 10)
            n_panel = N_PANEL
        centroids = pd.DataFrame(control + values, file["perturbations"], genes)
        n_cells = pd.Series(1, centroids.index)
    whole = TrainingCentroids(
        genes=centroids.columns.to_numpy(dtype=str),
        perturbation_centroids=centroids,
        n_cells=n_cells[centroids.index],
        control_centroid=control,
        n_control_cells=0,
        program_centroids=pd.DataFrame(
            [control] * len(PROGRAM_FLAGS), list(PROGRAM_FLAGS), centroids.columns
        ),
        proportions=pd.DataFrame(index=centroids.index),  # nothing is known of programs
    )
    return whole, n_panel


def shuffled(features: GeneFeatures, genes: pd.Index, rng: np.random.Generator) -> GeneFeatures:
    """Give each of `genes` what is known about another of them."""
    rows = [features.row_of.get(gene, -1) for gene in genes]
    return replace(features, row_of=dict(zip(genes, rng.permutation(rows).tolist(), strict=True)))


def score_split(
    training: TrainingCentroids,
    truth: pd.DataFrame,
    n_panel: int,
    features: dict[str, GeneFeatures],
) -> pd.DataFrame:
    """Pearson correlation by knock-out (rows) and contender, shuffled only if given features."""
    centre = training.perturbed_centroid
    variances = training.perturbation_centroids.var().to_numpy()
    panel = np.sort(np.argsort(-variances, kind="stable")[:n_panel])
    scores = {}
    for name in CONTENDERS:
        if name == SHUFFLED and name not in features:
            continue
        fitted = CONTENDERS[name]().fit(training, features.get(name, features[SHIPPED]))
        predicted = fitted.predict(list(truth.index))
        scores[name] = [
            pearson_delta(true[None, of_others], guess[None, of_others], centre[of_others])
            for gene, true, guess in zip(truth.index, truth.to_numpy(), predicted, strict=True)
            for of_others in [panel[training.genes[panel] != gene]]
        ]
    return pd.DataFrame(scores, index=truth.index)


def score_screen(path: Path, features: GeneFeatures, n_splits: int) -> pd.DataFrame:
    """Scores of every held-out knock-out of every split, index the knock-out."""
    whole, n_panel = read_screen(path)
    names = whole.perturbation_centroids.index
    n_test = min(len(names) // 4, MOST_PREDICTED)
    n_splits = min(n_splits, -(-MOST_SCORED // n_test))
    rng = np.random.default_rng(0)
    scores = []
    with progress(n_splits, f"splits of {path.stem}", unit="split") as bar:
        for _ in range(n_splits):
            order = names[rng.permutation(len(names))]
            truth = whole.perturbation_centroids.loc[order[:n_test]]
            left = [*order[:n_test], *order[n_test + MOST_TRAINED :]]
            of = {SHIPPED: features, SHUFFLED: shuffled(features, names, rng)}
            scores.append(score_split(whole.without(left), truth, n_panel, of))
            bar.update()
    return pd.concat(scores)


def mean_scores(scores_of: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a screen, and one for all."""
    means = pd.DataFrame([scores.mean() for scores in scores_of.values()], list(scores_of))
    means.loc["mean of all"] = means.mean()
    return means


def paired_gaps(scores_of: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What ships minus the others, paired by index, one row a screen."""
    rows = {}
    for name, scores in scores_of.items():
        paired = scores.drop(columns=SHUFFLED, errors="ignore").groupby(level=0).mean()
        gaps = -paired.drop(columns=SHIPPED).sub(paired[SHIPPED], axis=0)
        rows[name] = gaps.mean().map("{:+.4f} ± ".format) + gaps.sem().map("{:.4f}".format)
    return pd.DataFrame(rows).T
