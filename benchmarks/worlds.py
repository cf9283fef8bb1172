"""What ships, beside what is simpler, on screens and in simulated worlds.

    python -m benchmarks.worlds [FILE ...] [--competitions 12] [--splits 100]

FILE.npz holds perturbations (p,), genes (g,) and values (p, g), log fold changes; control is 0, and
`expression` (g,), counts per million of control cells, is used where a file has it. FILE.h5ad holds
cells, as for benchmarks.cells. In each random split a quarter of the knock-outs, at most 100, is
predicted from the others, at most 122. The score is the Pearson correlation of predicted with true
effects, both relative to the mean of the training cells, without the knocked-out gene itself; on
all genes of a file, or on the 1,000 that vary most over the training rows where a file has the
`expression` of all. Large screens get fewer splits than asked, so that about 1,000 predictions are
scored. Standard errors are over knock-outs.

The worlds are those of simulation/factors.py: all as like the competition as
`python -m simulation.calibration` prints, they differ in who tells how much of what a knock-out
does. Each competition has 122 training knock-outs and 60 fresh ones, each as if of 650 cells; a
tenth of the genes are scored, those that vary most. Their L1 of proportions stands beside that of
the training median. Standard errors are over competitions.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.cells import median_proportions, read_cells
from evaluation.command import RESOURCES, command_parser
from evaluation.crossval.baselines import BilinearRegression, ControlCentroid
from evaluation.held_out import centroids_without
from evaluation.scoring.metrics import l1_distance, pearson_delta
from main import shipped_predictor
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.summary import TrainingCentroids
from perturbation.model.direction_mix import PARTS
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.parts import Predictor
from perturbation.model.predictors import Blend, OwnTranscript
from perturbation.model.programs import predict_proportions
from simulation.factors import WORLDS, Told
from simulation.world import World, draw_centroids, draw_world
from tools.competition_layout import log_per_100k
from tools.gene_features.tables import gene_set_table, write_gene_features

MOST_TRAINED, MOST_PREDICTED, MOST_SCORED, MOST_GENES = 122, 100, 1000, 1000
N_TRAINING, N_FRESH, N_GENES, N_PANEL, N_CELLS = 122, 60, 2000, 200, 650
"""Of a world; the last is of a knock-out."""
SHIPPED, SHUFFLED = "ships", "shuffled"


def without(part: str) -> Predictor:
    """Return what ships without one part of the mix."""
    return OwnTranscript(Blend([other for other in PARTS if other != part]))


CONTENDERS: dict[str, Callable[[], Predictor]] = {
    SHIPPED: shipped_predictor,
    "control": ControlCentroid,
    "mean": lambda: Blend(["mean"]),
    "regression": BilinearRegression,
    "no own gene": lambda: without("own gene"),
    "no process": lambda: without("process"),
    SHUFFLED: shipped_predictor,
}


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
            n_panel = MOST_GENES
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
    for _ in tqdm(range(n_splits), f"splits of {path.stem}"):
        order = names[rng.permutation(len(names))]
        truth = whole.perturbation_centroids.loc[order[:n_test]]
        left = [*order[:n_test], *order[n_test + MOST_TRAINED :]]
        of = {SHIPPED: features, SHUFFLED: shuffled(features, names, rng)}
        scores.append(score_split(centroids_without(whole, left), truth, n_panel, of))
    return pd.concat(scores)


def gene_features_of(world: World) -> GeneFeatures:
    """What annotation says of the simulated genes, by the same road as real annotation."""
    with tempfile.TemporaryDirectory() as work:
        sets, features = Path(work) / "sets.tsv", Path(work) / "features.npz"
        world.gene_sets.to_csv(sets, sep="\t", index=False)
        write_gene_features(features, [gene_set_table("sets", sets, {})], {})
        return load_gene_features(features)


def score_competition(told: Told, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pearson correlations and L1 of the fresh knock-outs by contender, index the seed."""
    rng = np.random.default_rng(seed)
    world = draw_world(rng, n_genes=N_GENES, n_knockouts=N_TRAINING + N_FRESH, told=told)
    measured = draw_centroids(world, list(world.knockouts), N_CELLS, rng)
    fresh = list(world.knockouts[N_TRAINING:])
    training, features = centroids_without(measured, fresh), gene_features_of(world)
    truth = measured.perturbation_centroids.loc[fresh]
    scores = score_split(training, truth, N_PANEL, {SHIPPED: features})
    predictor = shipped_predictor().fit(training, features)
    answers = {
        SHIPPED: predict_proportions(training, features, predictor, fresh),
        "training median": median_proportions(training, features, predictor, fresh),
    }
    l1 = {
        name: [l1_distance(measured.proportions.loc[gene], answer.loc[gene]) for gene in fresh]
        for name, answer in answers.items()
    }
    return scores.set_axis([seed] * N_FRESH), pd.DataFrame(l1, [seed] * N_FRESH)


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


if __name__ == "__main__":
    parser = command_parser(__doc__)
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="npz or h5ad")
    parser.add_argument("--competitions", type=int, default=12, help="default: 12")
    parser.add_argument("--splits", type=int, default=100, help="of screens; default: 100")
    options = parser.parse_args()
    shipped = load_gene_features(RESOURCES / GENE_FEATURES_FILE)
    pearson = {path.stem: score_screen(path, shipped, options.splits) for path in options.files}
    l1: dict[str, pd.DataFrame] = {}
    for name, told in WORLDS.items():
        seeds = tqdm(range(options.competitions), name)
        found = zip(*[score_competition(told, seed) for seed in seeds], strict=True)
        pearson[name], l1[name] = map(pd.concat, found)
    for title, scores in {"Pearson delta": pearson, "L1 of the proportions": l1}.items():
        means = mean_scores(scores).to_string(float_format="{:.4f}".format, na_rep="")
        print(title, means, f"{SHIPPED} minus", paired_gaps(scores).to_string(), "", sep="\n")
