"""What ships on every screen at hand, beside what is simpler: one table.

    python -m benchmarks.screens FILE ... [--splits 100]

FILE.npz holds perturbations (p,), genes (g,) and values (p, g), log fold changes; control is 0, and
`expression` (g,), counts per million of control cells, is used where a file has it. FILE.h5ad holds
cells, as for benchmarks.cells. In each random split a quarter of the knock-outs, at most 100, is
predicted from the others, at most 122. The score is the Pearson correlation of predicted with true
effects, both relative to the mean of the training cells, without the knocked-out gene itself; on
all genes of a file, or on the 1,000 that vary most over the training rows where a file has the
`expression` of all. Large screens get fewer splits than asked, so that about 1,000 predictions are
scored. Differences are paired by knock-out; their standard error is over knock-outs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

import main as submission
from evaluation.command import RESOURCES, command_parser
from evaluation.crossval.baselines import BilinearRegression
from evaluation.scoring.metrics import pearson_delta
from evaluation.tables import aligned
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.errors import InputError
from perturbation.model.direction_mix import PARTS
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.parts import Predictor
from perturbation.model.predictors import Blend, ControlCentroid, OwnTranscript
from perturbation.progress import progress
from tools.competition_layout import log_per_100k

FEATURES = RESOURCES / GENE_FEATURES_FILE
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


@dataclass(frozen=True)
class Screen:
    """All knock-outs of one screen, as if they had been trained on."""

    name: str
    whole: TrainingCentroids
    n_panel: int
    """Genes to score."""


def read_screen(path: Path) -> Screen:
    """Read an npz file of signatures, or cells.

    Raises
    ------
    InputError
        If an array is missing or their shapes do not fit together.
    """
    return _read_centroids(path) if path.suffix == ".h5ad" else _read_signatures(path)


def _read_centroids(path: Path) -> Screen:
    counts, labels, genes = read_cells(path)
    means = pd.DataFrame(log_per_100k(counts), columns=genes).groupby(labels).mean()
    n_cells = pd.Series(labels).value_counts()
    control = means.loc[CONTROL_LABEL].to_numpy()
    return _screen(path, means.drop(index=CONTROL_LABEL), n_cells, control, len(genes))


def _read_signatures(path: Path) -> Screen:
    try:
        with np.load(path, allow_pickle=False) as file:
            perturbations, genes = file["perturbations"], file["genes"]
            values = file["values"].astype(np.float64)
            expression = file["expression"] if "expression" in file.files else None
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no npz file with perturbations, genes and values: {error}."
        ) from error
    if values.shape != (len(perturbations), len(genes)):
        raise InputError(
            f"{path} has values of shape {values.shape}, expected one row for each of "
            f"{len(perturbations)} perturbations and one column for each of {len(genes)} genes."
        )
    # Predictors keep expression at 0 or above; levels are raised to where that plays no part.
    control = np.full(len(genes), 10 * np.abs(values).max())
    if expression is not None:
        control += np.log2(1 + expression / 10)
    n_panel = len(genes) if expression is None else N_PANEL
    centroids = pd.DataFrame(control + values, perturbations, genes)
    return _screen(path, centroids, pd.Series(1, perturbations), control, n_panel)


def _screen(
    path: Path, centroids: pd.DataFrame, n_cells: pd.Series, control: np.ndarray, n_panel: int
) -> Screen:
    """Put them together; nothing is known of programs."""
    whole = TrainingCentroids(
        genes=centroids.columns.to_numpy(dtype=str),
        perturbation_centroids=centroids,
        n_cells=n_cells[centroids.index],
        control_centroid=control,
        n_control_cells=0,
        program_centroids=pd.DataFrame(
            [control] * len(PROGRAM_FLAGS), list(PROGRAM_FLAGS), centroids.columns
        ),
        proportions=pd.DataFrame(index=centroids.index),
    )
    return Screen(path.stem, whole, n_panel)


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
    for name in CONTENDERS.keys() - ({SHUFFLED} - features.keys()):
        fitted = CONTENDERS[name]().fit(training, features.get(name, features[SHIPPED]))
        predicted = fitted.predict(list(truth.index))
        scores[name] = [
            pearson_delta(true[None, of_others], guess[None, of_others], centre[of_others])
            for gene, true, guess in zip(truth.index, truth.to_numpy(), predicted, strict=True)
            for of_others in [panel[training.genes[panel] != gene]]
        ]
    return pd.DataFrame(scores, index=truth.index)


def score_screen(screen: Screen, features: GeneFeatures, n_splits: int) -> pd.DataFrame:
    """Scores of every held-out knock-out of every split, index the knock-out.

    Raises
    ------
    InputError
        If there are fewer than eight knock-outs.
    """
    names = screen.whole.perturbation_centroids.index
    n_test = min(len(names) // 4, MOST_PREDICTED)
    if n_test < 2:
        raise InputError(f"{screen.name} has {len(names)} knock-outs, expected at least 8.")
    n_splits = min(n_splits, -(-MOST_SCORED // n_test))
    rng = np.random.default_rng(0)
    scores = []
    with progress(n_splits, f"splits of {screen.name}", unit="split") as bar:
        for _ in range(n_splits):
            order = names[rng.permutation(len(names))]
            truth = screen.whole.perturbation_centroids.loc[order[:n_test]]
            left = [*order[:n_test], *order[n_test + MOST_TRAINED :]]
            of = {SHIPPED: features, SHUFFLED: shuffled(features, names, rng)}
            scores.append(score_split(screen.whole.without(left), truth, screen.n_panel, of))
            bar.update()
    return pd.concat(scores)


def table(scores_of: dict[str, pd.DataFrame], contenders: list[str]) -> str:
    """One row a screen: mean scores, and what ships minus the others, paired by index."""
    others = [name for name in contenders if name not in (SHIPPED, SHUFFLED)]
    means = pd.DataFrame({name: scores.mean() for name, scores in scores_of.items()})
    means["mean of all"] = means.mean(axis=1)
    text = means.reindex(contenders).map("{:.4f}".format).replace("nan", "")
    rows = [[str(name), *column] for name, column in text.items()]
    for row, scores in zip(rows, scores_of.values(), strict=False):
        paired = scores.groupby(level=0).mean()
        gaps = [paired[SHIPPED] - paired[other] for other in others]
        row += [f"{gap.mean():+.4f} ± {gap.sem():.4f}" for gap in gaps]
    rows[-1] += [""] * len(others)
    return aligned(["", *contenders, *(f"- {other}" for other in others)], rows)


def score_files(paths: Sequence[Path], n_splits: int) -> dict[str, pd.DataFrame]:
    """Scores of every screen, by its name; SystemExit with a sentence where a file is unusable."""
    try:
        features = load_gene_features(FEATURES)
        screens = [read_screen(path) for path in paths]
        return {screen.name: score_screen(screen, features, n_splits) for screen in screens}
    except InputError as error:
        raise SystemExit(str(error)) from error


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = command_parser(__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="npz or h5ad")
    parser.add_argument("--splits", type=int, default=100, help="at most; default: 100")
    options = parser.parse_args(arguments)
    print(table(score_files(options.files, options.splits), list(CONTENDERS)))


if __name__ == "__main__":
    main()
