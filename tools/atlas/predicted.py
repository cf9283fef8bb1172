"""What is predicted of every target, what that leans on, and how far to believe it."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import PCA

from evaluation.command import users_main
from evaluation.held_out import centroids_without
from evaluation.scoring.metrics import pearson_delta
from perturbation.competition import CONTROL_LABEL
from perturbation.data.summary import TrainingCentroids
from perturbation.model.cells import most_variable_genes
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import fitted, predicted_centroids
from perturbation.output.model_file import Model
from perturbation.progress import progress
from tools.explain import explain
from tools.maps import effects_from

N_PANEL_GENES = 1000
"""Most variable genes, as the platform's hidden panel behaves like these."""
LEVEL = 0.8
FEWEST = 10
"""Training knock-outs behind an interval, at least; else the nearest third in closeness."""

N_AXES = 20
AXES_SHOWN = 3
N_NEAREST = 3


def leave_one_out(model: Model, gene_features: GeneFeatures) -> pd.DataFrame:
    """Predict every training knock-out from the others, as main.py does.

    That takes as long as fitting so often.

    Returns
    -------
    Index knock-out: pearson_delta on the most variable genes, predicted and measured share of adipo
    cells, closeness of its gene to the other knock-outs.
    """
    training, names = model.training, list(model.training.perturbation_centroids.index)
    panel = most_variable_genes(sparse.csr_array(model.base_cells), N_PANEL_GENES)
    genes, rows = training.genes[panel].tolist(), []
    with progress(len(names), "leaving one out", unit="knock-out") as bar:
        for name in names:
            rest = replace(model, training=centroids_without(training, [name]))
            cells, proportions = users_main().predict(rest, gene_features, [name], genes)
            truth = training.perturbation_centroids.loc[[name], genes].to_numpy()
            score = pearson_delta(truth, next(cells), rest.training.perturbed_centroid[panel])
            rows.append({"pearson_delta": score, "predicted": proportions.loc[name, "adipo"]})
            bar.update(1)
    return pd.DataFrame(rows, names).assign(
        measured=training.proportions["adipo"],
        closeness=similarity(names, training, gene_features).max(axis=1),
    )


def similarity(
    targets: list[str], training: TrainingCentroids, gene_features: GeneFeatures
) -> pd.DataFrame:
    """(n_targets, n_knockouts) mean of the sources' kernels; 0 between a gene and itself."""
    knockouts = list(training.perturbation_centroids.index)
    kernels = [gene_features.kernel(source, targets, knockouts) for source in gene_features.sources]
    table = pd.DataFrame(np.mean(kernels, axis=0), index=targets, columns=knockouts)
    return table.mask(np.equal.outer(np.array(targets), np.array(knockouts)), 0.0)


def expected(left_out: pd.DataFrame, closeness: Iterable[float]) -> pd.DataFrame:
    """Mean and `LEVEL` interval of Pearson delta for targets as close as these.

    The interval holds the middle of the scores of the knock-outs nearest in closeness: one more
    score of the same kind lies in it `LEVEL` of the time.

    Returns
    -------
    (len(closeness), 3) expected, low, high.
    """
    scores, places = left_out["pearson_delta"].to_numpy(), left_out["closeness"].to_numpy()
    ends, rows = [(1 - LEVEL) / 2, (1 + LEVEL) / 2], []
    for at in closeness:
        nearest = np.argsort(np.abs(places - at), kind="stable")
        near = scores[nearest[: max(FEWEST, len(scores) // 3)]]
        # subtle: these quantiles of n scores cut 1 score in n + 1 off at each end, not 1 in n
        rows.append([near.mean(), *np.quantile(near, ends, method="weibull")])
    return pd.DataFrame(rows, columns=["expected", "low", "high"])


def coverage(left_out: pd.DataFrame) -> float:
    """Share of the training knock-outs whose score the interval made of the others holds."""
    inside = []
    for name, row in left_out.iterrows():
        band = expected(left_out.drop(index=name), [row["closeness"]]).iloc[0]
        inside.append(band["low"] <= row["pearson_delta"] <= band["high"])
    return float(np.mean(inside))


def make_atlas(
    model: Model, gene_features: GeneFeatures, targets: list[str], left_out: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict every target by main.py's own parts, in blocks.

    Returns
    -------
    Numbers by target, and in `why` what tools.explain prints of each; (n_targets, n_axes) predicted
    effects on the principal components of the training effects.
    """
    training = model.training
    predictor = fitted(users_main().shipped_predictor(), training, gene_features)
    effects = effects_from(training, training.perturbed_centroid)
    axes = PCA(min(N_AXES, *effects.shape), svd_solver="full").fit(effects).components_
    names = [f"axis {number + 1}" for number in range(len(axes))]
    rows = []
    for target, centroid in zip(
        targets, predicted_centroids(predictor, targets, len(training.genes)), strict=True
    ):
        delta = (centroid - training.perturbed_centroid) * (training.genes != target)
        why = explain(target, centroid, predictor, training, gene_features, N_NEAREST)
        rows.append([np.linalg.norm(delta), why, *axes @ delta])
    told = pd.DataFrame(rows, targets, ["strength", "why", *names])
    near = similarity(targets, training, gene_features)
    _, proportions = users_main().predict(model, gene_features, targets, training.genes.tolist())
    shifts = training.proportions - training.proportions.loc[CONTROL_LABEL]
    table = expected(left_out, near.max(axis=1)).set_axis(targets).rename_axis("target")
    table = table.assign(
        closeness=near.max(axis=1),
        nearest=[_nearest(row, shifts["adipo"]) for _, row in near.iterrows()],
        expression=pd.Series(training.control_centroid, training.genes),
    ).join(told.drop(columns=names[AXES_SHOWN:]))
    control = training.proportions.loc[CONTROL_LABEL, list(proportions)]
    return table.join((proportions - control).add_prefix("shift of ")), told[names]


def _nearest(similarity: pd.Series, shift_of_adipo: pd.Series) -> str:
    """Knock-outs about which the most alike is known, each with its measured shift of adipo."""
    most = similarity.nlargest(N_NEAREST)
    return ", ".join(f"{k} ({shift_of_adipo[k]:+.3f})" for k in most.index[most > 0]) or "none"
