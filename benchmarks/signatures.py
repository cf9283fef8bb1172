"""How well each rung predicts knock-outs nobody measured, on published effects of real screens.

    python -m benchmarks.signatures FILE.npz --train 122 --test 100 --splits 10 --seed 0
        [--features resources/gene_features.npz] [--json]

FILE holds perturbations (p,), genes (g,) and values (p, g): effects, no cells and no control, so
the constant is the mean unit residual and no own transcript is set. Each split draws knock-outs to
train on and others to predict. Prints the Pearson correlation of predicted with true effects, both
relative to the mean of the training rows: its mean over splits and the standard error of that mean.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.crossval.baselines import BilinearRegression
from evaluation.scoring.metrics import pearson_delta
from evaluation.tables import aligned
from perturbation.data.centroids import TrainingCentroids
from perturbation.errors import InputError
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.parts import Predictor
from perturbation.model.predictors import (
    KernelRidge,
    MeanUnitResidual,
    NearestNeighbours,
)
from perturbation.progress import progress

FEATURES = Path(__file__).resolve().parent.parent / "resources" / GENE_FEATURES_FILE
SHUFFLED = "kernel ridge, shuffled features"
RUNGS: dict[str, Callable[[], Predictor]] = {
    "mean unit residual": MeanUnitResidual,
    "organisers' bilinear regression": BilinearRegression,
    "nearest neighbours": NearestNeighbours,
    "kernel ridge": KernelRidge,
    SHUFFLED: KernelRidge,
}


def read_signatures(path: Path) -> pd.DataFrame:
    """Effects (perturbations x genes), float64.

    Raises
    ------
    InputError
        If an array is missing or their shapes do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            perturbations, genes = file["perturbations"], file["genes"]
            values = file["values"].astype(np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no npz file with perturbations, genes and values: {error}."
        ) from error
    if values.shape != (len(perturbations), len(genes)):
        raise InputError(
            f"{path} has values of shape {values.shape}, expected one row for each of "
            f"{len(perturbations)} perturbations and one column for each of {len(genes)} genes."
        )
    return pd.DataFrame(values, perturbations, genes)


def shuffled(features: GeneFeatures, genes: pd.Index, rng: np.random.Generator) -> GeneFeatures:
    """Give each of `genes` what is known about another of them."""
    rows = [features.row_of.get(gene, -1) for gene in genes]
    return replace(features, row_of=dict(zip(genes, rng.permutation(rows).tolist(), strict=True)))


def score_split(
    training: pd.DataFrame, held_out: pd.DataFrame, features: dict[str, GeneFeatures]
) -> dict[str, float]:
    """Mean Pearson correlation of each rung over the held-out rows."""
    centre = training.mean().to_numpy()
    measured = TrainingCentroids(
        genes=training.columns.to_numpy(dtype=str),
        perturbation_centroids=training,
        n_cells=pd.Series(1, training.index),
        control_centroid=centre,
        n_control_cells=0,
        program_centroids=pd.DataFrame(),
        proportions=pd.DataFrame(),
    )
    scores = {}
    for name, rung in RUNGS.items():
        predictor = rung().fit(measured, features[name])
        predicted = predictor.predict(list(held_out.index))
        pairs = zip(held_out.to_numpy(), predicted, strict=True)
        scores[name] = np.mean([pearson_delta(t[None], p[None], centre) for t, p in pairs])
    return scores


def score_rungs(
    effects: pd.DataFrame,
    features: GeneFeatures,
    *,
    n_train: int,
    n_test: int,
    n_splits: int,
    seed: int,
) -> pd.DataFrame:
    """Return scores (splits x rungs)."""
    if n_train + n_test > len(effects):
        raise InputError(
            f"--train {n_train} and --test {n_test} ask for {n_train + n_test} perturbations, the "
            f"file has {len(effects)}. Ask for fewer."
        )
    # Predictors keep expression at 0 or above; effects are shifted to where that plays no part.
    effects = effects + 10 * effects.abs().to_numpy().max()
    rng = np.random.default_rng(seed)
    rows = []
    with progress(n_splits, "splits", unit="split") as bar:
        for _ in range(n_splits):
            order = rng.permutation(len(effects))
            training = effects.iloc[order[:n_train]]
            held_out = effects.iloc[order[n_train : n_train + n_test]]
            of_rung = dict.fromkeys(RUNGS, features)
            of_rung[SHUFFLED] = shuffled(features, effects.index, rng)
            rows.append(score_split(training, held_out, of_rung))
            bar.update()
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = _parser().parse_args(arguments)
    try:
        scores = score_rungs(
            read_signatures(options.file),
            load_gene_features(options.features),
            n_train=options.train,
            n_test=options.test,
            n_splits=options.splits,
            seed=options.seed,
        )
    except InputError as error:
        raise SystemExit(str(error)) from error
    table = pd.DataFrame({"mean": scores.mean(), "standard_error": scores.sem()})
    if options.json:
        print(json.dumps(table.to_dict(orient="index"), indent=2))
        return
    print(
        f"{options.file.name}: {options.train} training and {options.test} held-out knock-outs, "
        f"{options.splits} splits"
    )
    rows = [
        [name, f"{row['mean']:.3f}", f"{row['standard_error']:.3f}"]
        for name, row in table.iterrows()
    ]
    print(aligned(["", "Pearson", "s.e."], rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="npz with perturbations, genes, values")
    parser.add_argument("--train", type=int, default=122, help="default: 122")
    parser.add_argument("--test", type=int, default=100, help="default: 100")
    parser.add_argument("--splits", type=int, default=10, help="default: 10")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--features", type=Path, default=FEATURES, help="default: resources/gene_features.npz"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    return parser


if __name__ == "__main__":
    main()
