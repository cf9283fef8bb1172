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

import tempfile
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.worlds import gene_features_of
from evaluation.command import command_parser
from evaluation.crossval.comparison import by_perturbation, compare
from evaluation.crossval.contenders import SHIPPED, Contender
from evaluation.crossval.fast import predict_fold, score_fold
from evaluation.crossval.folds import Fold, Settings, SharedData, all_folds, read_shared
from evaluation.crossval.scores import score, together
from evaluation.crossval.workers import map_tasks
from evaluation.scoring.metrics import METRICS
from perturbation.competition import (
    CONTROL_LABEL,
    GENES_FILE,
    PROGRAM_FLAGS,
    PROPORTIONS_FILE,
    TRAINING_FILE,
)
from simulation.world import World, draw_cells, draw_world

N_GENES, CELLS_OF_A_LABEL = 150, 50
N_TRAINING, N_FRESH = 40, 300
GAIN = {"pearson_delta": 0.03, "mmd": 0.001, "l1": 0.01}
BLEND = "perturbation.model.predictors:Blend"
CONTENDERS = (
    SHIPPED,
    Contender("kernel ridge", f"{BLEND}(['mean', 'knowledge'])", own_transcript=True),
    Contender("mean direction", f"{BLEND}(['mean'])", own_transcript=True),
)
SETTINGS = Settings(n_folds=5, n_repeats=3)


def draw_data(world: World, names: np.ndarray, rng: np.random.Generator) -> SharedData:
    """Draw cells of some knock-outs and of as many controls as two of them have; read them."""
    labels = np.repeat([*names, CONTROL_LABEL, CONTROL_LABEL], CELLS_OF_A_LABEL)
    pools = rng.integers(len(world.pool_shift), size=len(labels))
    cells = draw_cells(world, world.index_of(labels), pools, rng)
    flags = pd.DataFrame(cells.flags, columns=list(PROGRAM_FLAGS))
    obs = flags.assign(gene=labels).rename(index=str)
    x = sparse.csr_array(cells.expression())
    with tempfile.TemporaryDirectory() as data:
        adata = ad.AnnData(x, obs, pd.DataFrame(index=world.genes))
        adata.write_h5ad(Path(data, TRAINING_FILE))
        flags.groupby(labels).mean().to_csv(Path(data, PROPORTIONS_FILE), index_label="gene")
        Path(data, GENES_FILE).write_text("\n".join(world.genes))
        return read_shared(Path(data), SETTINGS)


def one_competition(_: None, seed: int) -> pd.DataFrame:
    """Return every interval of one simulated competition, and the expectation it is about.

    Those of differences are there twice: as the only one, and as one of all.
    """
    rng = np.random.default_rng(seed)
    world = draw_world(rng, n_genes=N_GENES, n_knockouts=N_TRAINING + N_FRESH)
    contenders = dict.fromkeys(CONTENDERS, gene_features_of(world))
    training, fresh = np.split(world.knockouts, [N_TRAINING])
    shared = replace(draw_data(world, training, rng), contenders=contenders)
    truth = draw_data(world, fresh, rng).truth
    folds = all_folds(list(training), SETTINGS)
    scores = together(score_fold(shared, fold) for fold in folds).scores
    of_all = Fold(0, 0, list(fresh))
    answers = predict_fold(shared, shared.summary, of_all)
    expected = score(replace(shared, truth=truth), shared.summary, of_all, answers)
    means = by_perturbation(together([expected]).scores).mean()
    n_others, rows = scores["contender"].nunique() - 1, []
    for n_compared in (1, n_others):
        for c in compare(scores, n_others - n_compared):
            found, expectation = c.score, means[c.metric, c.contender]
            if c.difference:
                found, expectation = c.difference, expectation - means[c.metric, c.reference]
            of = "difference" if c.difference else "score"
            half = (found.high - found.low) / 2
            rows.append((of, c.metric, c.contender, n_compared, found.mean - expectation, half))
    columns = ["of", "metric", "contender", "n_compared", "error", "half"]
    return pd.DataFrame(rows, columns=columns).assign(seed=seed)


def describe_verdicts(intervals: pd.DataFrame) -> pd.DataFrame:
    """How often "really better" is said of contenders that are not, and how often a gain is found.

    Every difference is moved to an expected value of 0, so that contenders are equal; then a gain
    of `GAIN` is added, to see how often it is found.
    """
    rows = {}
    gaps = intervals[intervals["of"] == "difference"]
    for (metric, n), group in gaps.groupby(["metric", "n_compared"]):
        metric = str(metric)
        sign = 1 if METRICS[metric] == "higher" else -1
        away = sign * group["error"] / group["half"]  # above 1: called really better
        of_all = away if n == 1 else away.groupby(group["seed"]).max()
        rows[f"{metric}, {n} compared"] = {
            "called better": (of_all > 1).mean(),
            "needs x width": of_all.quantile(0.95),
            "a gain is found": (away + GAIN[metric] / group["half"] > 1).mean(),
        }
    return pd.DataFrame(rows).T


def describe(intervals: pd.DataFrame) -> pd.DataFrame:
    """One row for every kind of interval."""
    alone = intervals[intervals["n_compared"] == 1]
    off = alone["error"].abs() / alone["half"]
    kinds = alone.assign(holds=off <= 1, off=off).groupby(["of", "metric", "contender"])
    return pd.DataFrame(
        {
            "holds it": kinds["holds"].mean(),
            "mean width": 2 * kinds["half"].mean(),
            "needs x width": kinds["off"].quantile(0.95),
            "bias": kinds["error"].mean(),
        }
    )


if __name__ == "__main__":
    parser = command_parser(__doc__)
    parser.add_argument("--competitions", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=2000, help="default: 2000")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.competitions)
    found = pd.concat(map_tasks(one_competition, None, seeds, options.jobs, "competitions"))
    found = found[found["half"] > 0]
    print(f"{N_TRAINING} training knock-outs, --cv 5 --repeats 3; {N_FRESH} fresh knock-outs each")
    tables = describe(found).round(4), describe_verdicts(found).round(3)
    print(*[table.to_string() for table in tables], f"Gains: {GAIN}", sep="\n\n")
