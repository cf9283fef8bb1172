"""How often the 95 percent intervals of ``local_test.py --cv`` hold, and its verdicts are right.

    python -m benchmarks.intervals [--competitions 100] [--first-seed 2000]

Many competitions are simulated (simulation/world.py). In each the pipeline is cross-validated on
the training knock-outs; it is then trained on all of them and scored on fresh knock-outs of the
same world, which gives the expected score that the interval is about. Prints how often intervals
hold that expectation, how wide they are, how much wider they would have to be, and by how much the
cross-validation, which trains on fewer knock-outs, is off on average; then how often a contender of
equal expected score is called really better, alone and as one of five, and how often a gain is
found. The width was set on seeds from 1000 (evaluation/crossval/comparison.py), hence the default.
"""

import argparse

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.worlds import gene_features_of
from evaluation.crossval.comparison import by_perturbation, compare
from evaluation.crossval.contenders import BASELINES, SHIPPED, Contender
from evaluation.crossval.fast import (
    Fold,
    Material,
    Settings,
    all_folds,
    predict_fold,
    score,
    score_fold,
)
from evaluation.crossval.folds import Truth
from evaluation.crossval.workers import Workers, map_tasks
from evaluation.scoring.metrics import METRICS
from evaluation.tables import aligned
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.data.summary import CELLS_KEPT_PER_LABEL, Summary, spread_evenly
from simulation.world import World, draw_cells, draw_world

N_GENES = 150
CELLS_OF_A_LABEL = 50
GAIN = {"pearson_delta": 0.03, "mmd": 0.001, "l1": 0.01}
BLEND = "perturbation.model.predictors:Blend"
CONTENDERS = (
    SHIPPED,
    *BASELINES,
    Contender("kernel ridge", f"{BLEND}(['mean', 'knowledge'])", own_transcript=True),
    Contender("mean direction", f"{BLEND}(['mean'])", own_transcript=True),
)


def simulated_summary(world: World, names: np.ndarray, rng: np.random.Generator) -> Summary:
    """Draw cells of some knock-outs and of as many controls as two of them have."""
    labels = np.repeat([*names, CONTROL_LABEL, CONTROL_LABEL], CELLS_OF_A_LABEL)
    pools = rng.integers(len(world.pool_shift), size=len(labels))
    cells = draw_cells(world, world.index_of(labels), pools, rng)
    expression = cells.expression()
    flags = pd.DataFrame(cells.flags, columns=list(PROGRAM_FLAGS))
    centroids = pd.DataFrame(expression, columns=world.genes).groupby(labels).mean()
    of_program = cells.flags.T * (labels == CONTROL_LABEL)
    of_program = of_program / np.maximum(of_program.sum(axis=1, keepdims=True), 1)
    training = TrainingCentroids(
        genes=world.genes,
        perturbation_centroids=centroids.loc[names],
        n_cells=pd.Series(CELLS_OF_A_LABEL, index=names),
        control_centroid=centroids.loc[CONTROL_LABEL].to_numpy(),
        n_control_cells=2 * CELLS_OF_A_LABEL,
        program_centroids=pd.DataFrame(of_program @ expression, list(PROGRAM_FLAGS), world.genes),
        proportions=flags.groupby(labels).mean(),
    )
    return Summary(
        training,
        cells=sparse.csr_array(expression.astype(np.float32)),
        cell_labels=labels,
        cell_programs=flags,
    )


def one_competition(options: argparse.Namespace, seed: int) -> pd.DataFrame:
    """Return every interval of one simulated competition, and the expectation it is about."""
    rng = np.random.default_rng(seed)
    n = options.knockouts
    world = draw_world(rng, n_genes=N_GENES, n_knockouts=n + options.fresh)
    training = simulated_summary(world, world.knockouts[:n], rng)
    fresh = simulated_summary(world, world.knockouts[n:], rng)
    settings = Settings(CONTENDERS, options.folds, options.repeats)
    kept = training.with_cells(
        np.flatnonzero(spread_evenly(training.cell_labels, CELLS_KEPT_PER_LABEL))
    )
    material = Material(kept, truth_of(training), {"": gene_features_of(world)}, settings)
    folds = pd.concat([score_fold(material, f).scores for f in all_folds(training, settings)])
    return _intervals(_ordered(folds), _ordered(_expected(material, fresh))).assign(seed=seed)


def _expected(material: Material, fresh: Summary) -> pd.DataFrame:
    """Score the pipeline, trained on everything, on the fresh knock-outs."""
    names = list(fresh.training.perturbation_centroids.index)
    fold = Fold(0, 0, names)
    predictions = predict_fold(material, material.summary, fold)
    return score(predictions, truth_of(fresh), fold).scores


def truth_of(summary: Summary) -> Truth:
    """Return what was measured of simulated knock-outs."""
    perturbed = np.flatnonzero(summary.cell_labels != CONTROL_LABEL)
    return Truth(
        np.arange(N_GENES),
        summary.training.perturbation_centroids,
        summary.cells[perturbed],
        summary.cell_labels[perturbed],
        summary.training.proportions.drop(index=CONTROL_LABEL),
    )


def _ordered(scores: pd.DataFrame) -> pd.DataFrame:
    names = [contender.name for contender in CONTENDERS]
    return scores.assign(contender=pd.Categorical(scores["contender"], categories=names))


def _intervals(scores: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Every interval, those of differences once as the only one and once as one of all."""
    means = by_perturbation(expected).mean()
    n_others = len(CONTENDERS) - 1
    rows = []
    for n_compared in (1, n_others):
        for c in compare(scores, n_others - n_compared):
            truth, base = means[c.metric, c.contender], means[c.metric, SHIPPED.name]
            if c.difference:
                found, of = c.difference, "difference"
                truth -= base
            else:
                found, of = c.score, "score"
            ends = found.mean, found.low, found.high
            rows.append((c.metric, c.contender, of, n_compared, *ends, truth))
    columns = ["metric", "contender", "of", "n_compared", "mean", "low", "high", "truth"]
    return pd.DataFrame(rows, columns=columns)


def describe_verdicts(intervals: pd.DataFrame) -> str:
    """How often "really better" is said of contenders that are not, and how often a gain is found.

    Every difference is moved to an expected value of 0, so that contenders are equal; then a gain
    of `GAIN` is added, to see how often it is found.
    """
    rows = []
    gaps = intervals[(intervals["of"] == "difference") & (intervals["high"] > intervals["low"])]
    for (metric, n), group in gaps.groupby(["metric", "n_compared"]):
        metric = str(metric)
        sign = 1 if METRICS[metric] == "higher" else -1
        half = (group["high"] - group["low"]) / 2
        away = sign * (group["mean"] - group["truth"]) / half  # above 1: called really better
        of_all = away if n == 1 else away.groupby(group["seed"]).max()
        gain = GAIN[metric] / half
        rows.append(
            [
                f"{metric}, {n} compared",
                f"{100 * (of_all > 1).mean():.1f}%",
                f"{of_all.quantile(0.95):.2f}",
                f"{100 * (away + gain > 1).mean():.0f}% of {GAIN[metric]}",
            ]
        )
    header = ["equal contenders", "called better", "needs x width", "a gain is found"]
    return aligned(header, rows)


def describe(intervals: pd.DataFrame) -> str:
    """Return one line for every kind of interval; those of length 0 are left out."""
    intervals = intervals[(intervals["high"] > intervals["low"]) & (intervals["n_compared"] == 1)]
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
        rows.append([f"{of} of {contender}", str(metric), *numbers])
    header = ["interval of the", "metric", "holds it", "mean width", "needs x width", "bias"]
    return aligned(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--competitions", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=2000, help="default: 2000")
    parser.add_argument("--knockouts", type=int, default=40)
    parser.add_argument("--fresh", type=int, default=300)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.competitions)
    workers = Workers(options.jobs)
    results = pd.concat(map_tasks(one_competition, options, seeds, workers, "competitions"))
    print(
        f"{options.competitions} simulated competitions, {options.knockouts} training knock-outs, "
        f"--cv {options.folds} --repeats {options.repeats}; {options.fresh} fresh knock-outs each"
    )
    print(describe(results), describe_verdicts(results), sep="\n\n")


if __name__ == "__main__":
    main()
