"""A table of all targets: what is predicted of each, and what that leans on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from evaluation.command import users_main
from perturbation.answers import fitted, predicted_centroids
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.model.gene_features import GeneFeatures
from perturbation.output.model_file import Model
from tools.atlas.left_out import LeftOut, fat_direction, similarity
from tools.effects import axes_of, effects_from
from tools.explain import explain

N_AXES = 20
AXES_SHOWN = 3
N_NEAREST = 3


class Atlas(NamedTuple):
    """What is predicted.

    Attributes
    ----------
    table
        Index target: numbers, and in `why` what tools.explain prints of each.
    scores
        (n_targets, n_axes) predicted effects on the principal components of the training effects.
    shares
        (n_axes,) of the variance of the training effects.
    """

    table: pd.DataFrame
    scores: np.ndarray
    shares: np.ndarray


def make_atlas(
    model: Model, gene_features: GeneFeatures, targets: list[str], left_out: LeftOut
) -> Atlas:
    """Predict every target by main.py's own parts, in blocks."""
    training = model.training
    predictor = fitted(users_main().shipped_predictor(), training, gene_features)
    axes = axes_of(effects_from(training, training.perturbed_centroid), N_AXES)
    directions, fat = axes.genes.to_numpy(), fat_direction(training)
    rows, scores = [], []
    centroids = predicted_centroids(predictor, targets, len(training.genes))
    for target, centroid in zip(targets, centroids, strict=True):
        delta = (centroid - training.perturbed_centroid) * (training.genes != target)
        scores.append(directions @ delta)
        why = explain(target, centroid, predictor, training, gene_features, N_NEAREST)
        rows.append({"strength": np.linalg.norm(delta), "fat": delta @ fat, "why": why})
    names, near = pd.Index(targets, name="target"), similarity(targets, training, gene_features)
    of_axes = [f"axis {number + 1}" for number in range(min(AXES_SHOWN, len(directions)))]
    table = pd.concat(
        [
            left_out.expected(near.max(axis=1).to_numpy()).set_axis(names),
            near.max(axis=1).rename("closeness"),
            pd.DataFrame(rows, names),
            pd.Series(training.control_centroid, training.genes, name="expression").reindex(names),
            pd.DataFrame(np.array(scores)[:, : len(of_axes)], names, of_axes),
            _program_shifts(model, gene_features, targets),
            near.apply(_nearest, axis=1).rename("nearest"),
        ],
        axis=1,
    )
    return Atlas(table.rename_axis("target"), np.array(scores), axes.shares)


def _program_shifts(model: Model, gene_features: GeneFeatures, targets: list[str]) -> pd.DataFrame:
    """(n_targets, 4) predicted proportions minus the controls'."""
    _, proportions = users_main().predict(model, gene_features, targets, list(model.training.genes))
    shifts = proportions - model.training.proportions.loc[CONTROL_LABEL, list(PROGRAM_FLAGS)]
    return shifts.add_prefix("shift of ")


def _nearest(similarity: pd.Series) -> str:
    """Name the training knock-outs about which the most alike is known."""
    most = similarity.nlargest(N_NEAREST)
    return ", ".join(most.index[most > 0]) or "none"


def fat_cell_genes(table: pd.DataFrame, training: TrainingCentroids, n: int) -> pd.DataFrame:
    """Return the targets predicted to lower and to raise fat cells most, with reasons."""
    adipo = training.proportions["adipo"]
    adipo = adipo - adipo[CONTROL_LABEL]
    ranked = table.sort_values("fat")
    few, many = ranked.head(n), ranked.tail(n)[::-1]
    chosen = pd.concat([few.assign(cells="fewer"), many.assign(cells="more")])
    reasons = [
        ", ".join(f"{k} ({adipo[k]:+.3f})" for k in names.split(", ") if k in adipo.index)
        for names in chosen["nearest"]
    ]
    columns = {"cells": "fat cells", "fat": "score", "expected": "expected Pearson delta"}
    shown = chosen[[*columns, "expression"]].rename(columns=columns)
    return shown.assign(**{"nearest knock-outs (their measured shift of adipo)": reasons})
