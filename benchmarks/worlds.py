"""What ships, and what is simpler, in simulated worlds from "nothing told" to "all told".

    python -m benchmarks.worlds [FILE ...] [--competitions 12] [--splits 100]

The worlds are those of simulation/factors.py: all as like the competition as
`python -m simulation.calibration` prints, they differ in who tells how much of what a knock-out
does. Each competition has 122 training knock-outs and 60 fresh ones, each as if of 650 cells. The
first table is that of benchmarks.screens, on a tenth of the genes, those that vary most over the
training rows; the second what ships scores more than each other, the last two are of the L1 of
proportions, of what ships and of the training median. Standard errors are over competitions. With
FILEs, screens stand in the first two tables too.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cells import median_proportions
from benchmarks.screens import SHIPPED, mean_scores, paired_gaps, score_screen, score_split
from evaluation.command import RESOURCES, command_parser
from evaluation.scoring.metrics import l1_distance
from main import shipped_predictor
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.programs import predict_proportions
from perturbation.progress import progress
from simulation.factors import WORLDS, Told
from simulation.world import World, draw_centroids, draw_world
from tools.gene_features.tables import gene_set_table, write_gene_features

N_TRAINING, N_FRESH, N_GENES, N_PANEL = 122, 60, 2000, 200
CELLS_OF_A_KNOCKOUT = 650
MEDIAN = "training median"


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
    measured = draw_centroids(world, list(world.knockouts), CELLS_OF_A_KNOCKOUT, rng)
    fresh = list(world.knockouts[N_TRAINING:])
    training, features = measured.without(fresh), gene_features_of(world)
    truth = measured.perturbation_centroids.loc[fresh]
    scores = score_split(training, truth, N_PANEL, {SHIPPED: features})
    predictor = shipped_predictor().fit(training, features)
    answers = {
        SHIPPED: predict_proportions(training, features, predictor, fresh),
        MEDIAN: median_proportions(training, features, predictor, fresh),
    }
    l1 = {
        name: [l1_distance(measured.proportions.loc[gene], answer.loc[gene]) for gene in fresh]
        for name, answer in answers.items()
    }
    return scores.set_axis([seed] * N_FRESH), pd.DataFrame(l1, [seed] * N_FRESH)


def score_worlds(n_competitions: int) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Both scores of every world, by its name."""
    scores, l1 = {}, {}
    with progress(len(WORLDS) * n_competitions, "competitions", unit="competition") as bar:
        for name, told in WORLDS.items():
            found = []
            for seed in range(n_competitions):
                found.append(score_competition(told, seed))
                bar.update()
            scores[name], l1[name] = (pd.concat(part) for part in zip(*found, strict=True))
    return scores, l1


if __name__ == "__main__":
    parser = command_parser(__doc__)
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="of benchmarks.screens")
    parser.add_argument("--competitions", type=int, default=12, help="default: 12")
    parser.add_argument("--splits", type=int, default=100, help="of screens; default: 100")
    options = parser.parse_args()
    shipped = load_gene_features(RESOURCES / GENE_FEATURES_FILE)
    pearson = {path.stem: score_screen(path, shipped, options.splits) for path in options.files}
    worlds, l1 = score_worlds(options.competitions)
    for title, scores in {"Pearson delta": pearson | worlds, "L1 of the proportions": l1}.items():
        means = mean_scores(scores).to_string(float_format="{:.4f}".format, na_rep="")
        print(title, means, f"{SHIPPED} minus", paired_gaps(scores).to_string(), "", sep="\n")
