"""A table of all targets: what is predicted of each, and what that leans on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.command import users_main
from perturbation.competition import CONTROL_LABEL
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import fitted, predicted_centroids
from perturbation.output.model_file import Model
from tools.atlas.left_out import expected, similarity
from tools.effects import axes_of, effects_from
from tools.explain import explain

N_AXES = 20
AXES_SHOWN = 3
N_NEAREST = 3


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
    axes = axes_of(effects_from(training, training.perturbed_centroid), N_AXES).genes
    rows = []
    for target, centroid in zip(
        targets, predicted_centroids(predictor, targets, len(training.genes)), strict=True
    ):
        delta = (centroid - training.perturbed_centroid) * (training.genes != target)
        why = explain(target, centroid, predictor, training, gene_features, N_NEAREST)
        rows.append({"strength": np.linalg.norm(delta), **axes @ delta, "why": why})
    told, near = pd.DataFrame(rows, targets), similarity(targets, training, gene_features)
    _, proportions = users_main().predict(model, gene_features, targets, training.genes.tolist())
    shifts = training.proportions - training.proportions.loc[CONTROL_LABEL]
    table = expected(left_out, near.max(axis=1)).set_axis(targets).rename_axis("target")
    table = table.assign(
        closeness=near.max(axis=1),
        nearest=[_nearest(row, shifts["adipo"]) for _, row in near.iterrows()],
        expression=pd.Series(training.control_centroid, training.genes),
    ).join(told.drop(columns=axes.index[AXES_SHOWN:]))
    control = training.proportions.loc[CONTROL_LABEL, list(proportions)]
    return table.join((proportions - control).add_prefix("shift of ")), told[axes.index]


def _nearest(similarity: pd.Series, shift_of_adipo: pd.Series) -> str:
    """Knock-outs about which the most alike is known, each with its measured shift of adipo."""
    most = similarity.nlargest(N_NEAREST)
    return ", ".join(f"{k} ({shift_of_adipo[k]:+.3f})" for k in most.index[most > 0]) or "none"
