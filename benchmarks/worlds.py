"""What ships, and simpler predictors, on simulated competitions: who wins, and by how much.

    python -m benchmarks.worlds [--competitions 20]

Each competition has 122 training knock-outs, 60 fresh ones and thousands of genes; the share of
knock-outs that do nothing runs from 0 to 0.9. Prints, for each share, the mean Pearson delta of
every rung on the fresh knock-outs, and over all competitions the paired difference of the shipped
predictor to each, with its standard error. The truth is a centroid of so many cells as training
has, on the 1,000 genes that vary most over the training centroids.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import main as submission
from evaluation.scoring.metrics import pearson_delta
from evaluation.tables import aligned
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.model.gene_features import GeneFeatures, load_gene_features
from perturbation.model.parts import Predictor
from perturbation.model.predictors import (
    Blend,
    ControlCentroid,
    KernelRidge,
    MeanUnitResidual,
    OwnTranscript,
)
from perturbation.progress import progress
from simulation.world import World, draw_world, expected_values
from tools.gene_features.feature_file import write_gene_features
from tools.gene_features.tables import gene_set_table

N_TRAINING, N_FRESH = 122, 60
N_GENES, N_PANEL = 2000, 1000
CELLS_OF_A_KNOCKOUT, CELLS_OF_CONTROL = 200, 1000
NULL_SHARES = (0.0, 0.3, 0.6, 0.9)

RUNGS: dict[str, Callable[[], Predictor]] = {
    "shipped": submission.shipped_predictor,
    "control centroid": ControlCentroid,
    "control + own": lambda: OwnTranscript(ControlCentroid()),
    "mean residual + own": lambda: OwnTranscript(MeanUnitResidual()),
    "kernel ridge + own": lambda: OwnTranscript(KernelRidge()),
    "blend, no own": Blend,
}


def gene_features_of(world: World) -> GeneFeatures:
    """What annotation says of the simulated genes, by the same road as real annotation."""
    with tempfile.TemporaryDirectory() as work:
        table, features = Path(work) / "sets.tsv", Path(work) / "features.npz"
        world.gene_sets.to_csv(table, sep="\t", index=False)
        write_gene_features(features, [gene_set_table("sets", table, {})], {})
        return load_gene_features(features)


def score_rungs(seed: int, null_share: float) -> dict[str, float]:
    """Mean Pearson delta of each rung over the fresh knock-outs of one competition."""
    rng = np.random.default_rng(seed)
    world = draw_world(
        rng, n_genes=N_GENES, n_knockouts=N_TRAINING + N_FRESH, null_share=null_share
    )
    training, fresh = np.split(world.knockouts, [N_TRAINING])
    centroids, _ = expected_values(world, training, CELLS_OF_A_KNOCKOUT, rng)
    truth, _ = expected_values(world, fresh, CELLS_OF_A_KNOCKOUT, rng)
    control, _ = expected_values(world, [CONTROL_LABEL], CELLS_OF_CONTROL, rng)
    measured = TrainingCentroids(
        genes=world.genes,
        perturbation_centroids=centroids,
        n_cells=pd.Series(CELLS_OF_A_KNOCKOUT, index=centroids.index),
        control_centroid=control.to_numpy()[0],
        n_control_cells=CELLS_OF_CONTROL,
        program_centroids=control.loc[[CONTROL_LABEL] * len(PROGRAM_FLAGS)],
        proportions=pd.DataFrame(),
    )
    centre = measured.perturbed_centroid
    panel = np.argsort(-centroids.var().to_numpy())[:N_PANEL]
    features = gene_features_of(world)
    scores = {}
    for name, rung in RUNGS.items():
        predictor = rung().fit(measured, features)
        predicted = predictor.predict(list(fresh))
        each = [
            pearson_delta(true[None, panel], guess[None, panel], centre[panel])
            for true, guess in zip(truth.to_numpy(), predicted, strict=True)
        ]
        scores[name] = float(np.mean(each))
    return scores


def main(n_competitions: int) -> None:
    """Print both tables."""
    shares = [NULL_SHARES[i % len(NULL_SHARES)] for i in range(n_competitions)]
    rows = []
    with progress(n_competitions, "competitions", unit="competition") as bar:
        for seed, share in enumerate(shares):
            rows.append(score_rungs(seed, share))
            bar.update()
    scores = pd.DataFrame(rows)
    by_share = scores.groupby(shares).mean()
    print(
        f"{n_competitions} simulated competitions: mean Pearson delta by share of null knock-outs"
    )
    print(
        aligned(
            ["", *[f"{share:.1f}" for share in by_share.index]],
            [[name, *[f"{value:.4f}" for value in by_share[name]]] for name in RUNGS],
        )
    )
    print("\nshipped minus the rung: mean, standard error, and the lowest mean at any share")
    differences = -scores.drop(columns="shipped").sub(scores["shipped"], axis=0)
    lowest = differences.groupby(shares).mean().min()
    print(
        aligned(
            ["", "mean", "s.e.", "lowest"],
            [
                [str(name), f"{d.mean():+.4f}", f"{d.sem():.4f}", f"{lowest[str(name)]:+.4f}"]
                for name, d in differences.items()
            ],
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--competitions", type=int, default=20, help="default: 20")
    main(parser.parse_args().competitions)
