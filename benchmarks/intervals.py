"""How often the 95 percent intervals of ``local_test.py --cv`` hold what they estimate.

    python -m benchmarks.intervals [--competitions 100] [--knockouts 40] [--folds 5] [--repeats 3]

Many competitions are simulated (simulation/world.py). In each the pipeline is
cross-validated on the training knock-outs; it is then trained on all of them and scored on fresh
knock-outs of the same world, which gives the expected score that the interval is about. Prints, for
scores and for differences to the shipped predictor, how often the interval holds that expectation,
how wide it is, how much wider it would have to be to hold it 95 times in 100, and by how much the
cross-validation, which trains on fewer knock-outs, is off on average.
"""

import argparse

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.worlds import gene_features_of
from evaluation.crossval.comparison import by_perturbation, compare
from evaluation.crossval.contenders import BASELINES, SHIPPED
from evaluation.crossval.fast import (
    Fold,
    Material,
    Settings,
    all_folds,
    predict_fold,
    score,
    score_fold,
)
from evaluation.crossval.folds import as_train_keeps, truth_of
from evaluation.crossval.workers import Workers, map_tasks
from evaluation.tables import aligned
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.data.summary import Summary
from simulation.world import World, draw_cells, draw_world

N_GENES = 150
CELLS_OF_A_LABEL = 50


def simulated_summary(world: World, names: np.ndarray, rng: np.random.Generator) -> Summary:
    """Draw cells of some knock-outs and of as many controls as two of them have."""
    labels = np.repeat([*names, CONTROL_LABEL, CONTROL_LABEL], CELLS_OF_A_LABEL)
    pools = rng.integers(len(world.pool_shift), size=len(labels))
    cells = draw_cells(world, world.index_of(labels), pools, rng)
    expression = cells.expression()
    flags = pd.DataFrame(cells.flags, columns=list(PROGRAM_FLAGS))
    centroids = pd.DataFrame(expression, columns=world.genes).groupby(labels).mean()
    training = TrainingCentroids(
        genes=world.genes,
        perturbation_centroids=centroids.loc[names],
        n_cells=pd.Series(CELLS_OF_A_LABEL, index=names),
        control_centroid=centroids.loc[CONTROL_LABEL].to_numpy(),
        n_control_cells=2 * CELLS_OF_A_LABEL,
        program_centroids=centroids.loc[[CONTROL_LABEL] * len(PROGRAM_FLAGS)],
        proportions=flags.groupby(labels).mean(),
    )
    return Summary(
        training,
        cells=sparse.csr_array(expression.astype(np.float32)),
        cell_labels=labels,
        cell_ranks=pd.Series(labels).groupby(labels).cumcount().to_numpy(),
        cell_programs=flags,
    )


def one_competition(options: argparse.Namespace, seed: int) -> pd.DataFrame:
    """Return every interval of one simulated competition, and the expectation it is about."""
    rng = np.random.default_rng(seed)
    n = options.knockouts
    world = draw_world(rng, n_genes=N_GENES, n_knockouts=n + options.fresh)
    training = simulated_summary(world, world.knockouts[:n], rng)
    fresh = simulated_summary(world, world.knockouts[n:], rng)
    settings = Settings((SHIPPED, *BASELINES), options.folds, options.repeats)
    kept, truth = as_train_keeps(training), truth_of(training, np.arange(N_GENES))
    material = Material(kept, truth, {"": gene_features_of(world)}, settings)
    folds = pd.concat([score_fold(material, f) for f in all_folds(training, settings)])
    return _intervals(_ordered(folds), _ordered(_expected(material, fresh))).assign(seed=seed)


def _expected(material: Material, fresh: Summary) -> pd.DataFrame:
    """Score the pipeline, trained on everything, on the fresh knock-outs."""
    names = list(fresh.training.perturbation_centroids.index)
    predictions = predict_fold(material, material.summary, Fold(0, 0, names))
    return score(predictions, truth_of(fresh, material.truth.columns))


def _ordered(scores: pd.DataFrame) -> pd.DataFrame:
    names = [contender.name for contender in (SHIPPED, *BASELINES)]
    return scores.assign(contender=pd.Categorical(scores["contender"], categories=names))


def _intervals(scores: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    means = by_perturbation(expected).mean()
    rows = []
    for c in compare(scores):
        truth, base = means[c.metric, c.contender], means[c.metric, SHIPPED.name]
        rows.append((c.metric, c.contender, "score", c.score, truth))
        if c.difference:
            rows.append((c.metric, c.contender, "difference", c.difference, truth - base))
    return pd.DataFrame(
        [(*row[:3], row[3].mean, row[3].low, row[3].high, row[4]) for row in rows],
        columns=["metric", "contender", "of", "mean", "low", "high", "truth"],
    )


def describe(intervals: pd.DataFrame) -> str:
    """Return one line for every kind of interval; those of length 0 are left out."""
    intervals = intervals[intervals["high"] > intervals["low"]]
    rows = []
    for (of, metric, contender), group in intervals.groupby(["of", "metric", "contender"]):
        holds = (group["low"] <= group["truth"]) & (group["truth"] <= group["high"])
        half = (group["high"] - group["low"]) / 2
        factor = ((group["truth"] - group["mean"]).abs() / half).quantile(0.95)
        bias = (group["mean"] - group["truth"]).mean()
        numbers = (
            f"{100 * holds.mean():.1f}%",
            f"{2 * half.mean():.4f}",
            f"{factor:.2f}",
            f"{bias:+.4f}",
        )
        rows.append([f"{of} of {contender}", metric, *numbers])
    header = ["interval of the", "metric", "holds it", "mean width", "needs x width", "bias"]
    return aligned(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--competitions", type=int, default=100)
    parser.add_argument("--knockouts", type=int, default=40)
    parser.add_argument("--fresh", type=int, default=1000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.competitions)
    workers = Workers(options.jobs)
    results = pd.concat(map_tasks(one_competition, options, seeds, workers, "competitions"))
    print(
        f"{options.competitions} simulated competitions, {options.knockouts} training knock-outs, "
        f"--cv {options.folds} --repeats {options.repeats}; {options.fresh} fresh knock-outs each"
    )
    print(describe(results))


if __name__ == "__main__":
    main()
