"""A table of all targets: what is predicted of each, and what that leans on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

import main as submission
from perturbation.answers import fitted, predicted_centroids
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.model.gene_features import GeneFeatures
from perturbation.output.model_file import Model
from tools.atlas.left_out import LeftOut, closeness, fat_direction, fat_score, similarity
from tools.explain import explain

N_AXES = 20
AXES_SHOWN = 3
N_NEAREST = 3


@dataclass(frozen=True)
class Atlas:
    """What is predicted.

    Attributes
    ----------
    table
        Index target: a row for each, numbers and text.
    why
        (n_targets,) what tools.explain prints of each.
    scores
        (n_targets, n_axes) predicted effects on the principal components of the training effects.
    shares
        (n_axes,) of the variance of the training effects.
    """

    table: pd.DataFrame
    why: pd.Series
    scores: np.ndarray
    shares: np.ndarray


def make_atlas(
    model: Model, gene_features: GeneFeatures, targets: list[str], left_out: LeftOut
) -> Atlas:
    """Predict every target by main.py's own parts, in blocks."""
    training = model.training
    predictor = fitted(submission.shipped_predictor(), training, gene_features)
    genes = pd.Index(training.genes)
    axes, shares = effect_axes(training)
    fat = fat_direction(training)
    control = training.control_centroid
    rows, scores, why = [], [], []
    centroids = predicted_centroids(predictor, targets, len(genes))
    for target, centroid in zip(targets, centroids, strict=True):
        why.append(explain(target, centroid, predictor, training, gene_features, N_NEAREST))
        delta = centroid - training.perturbed_centroid
        column = genes.get_indexer([target])[0]
        if column >= 0:
            delta[column] = 0.0
        scores.append(axes @ delta)
        rows.append(
            {
                "strength": np.linalg.norm(delta),
                "fat": fat_score(pd.Series(delta, index=genes), target, fat),
                "expression": control[column] if column >= 0 else np.nan,
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(targets, name="target"))
    for number in range(min(AXES_SHOWN, len(axes))):
        table[f"axis {number + 1}"] = np.array(scores)[:, number]
    shifts = _program_shifts(model, gene_features, targets)
    near = similarity(targets, training, gene_features)
    expected = left_out.expected(closeness(targets, training, gene_features)).set_axis(table.index)
    table = pd.concat([expected, near.max(axis=1).rename("closeness"), table, shifts], axis=1)
    table["nearest"] = nearest(near)
    return Atlas(
        table.rename_axis("target"), pd.Series(why, index=targets), np.array(scores), shares
    )


def effect_axes(training: TrainingCentroids) -> tuple[np.ndarray, np.ndarray]:
    """(n_axes, n_genes) principal components of the training effects, and shares of variance."""
    deltas = training.perturbation_centroids - training.perturbed_centroid
    for name in deltas.index.intersection(deltas.columns):
        deltas.loc[name, name] = 0.0
    _, lengths, axes = np.linalg.svd((deltas - deltas.mean()).to_numpy(), full_matrices=False)
    return axes[:N_AXES], (lengths**2 / (lengths**2).sum())[:N_AXES]


def _program_shifts(
    model: Model, gene_features: GeneFeatures, targets: Sequence[str]
) -> pd.DataFrame:
    """(n_targets, 4) predicted proportions minus the controls'."""
    _, proportions = submission.predict(model, gene_features, targets, list(model.training.genes))
    shifts = proportions - model.training.proportions.loc[CONTROL_LABEL, list(PROGRAM_FLAGS)]
    return shifts.add_prefix("shift of ")


def nearest(similarity: pd.DataFrame) -> list[str]:
    """Name the training knock-outs about which the most alike is known."""
    order = np.argsort(-similarity.to_numpy(), axis=1, kind="stable")[:, :N_NEAREST]
    names, values = similarity.columns.to_numpy(), similarity.to_numpy()
    return [
        ", ".join(names[k] for k in row if values[i, k] > 0) or "none"
        for i, row in enumerate(order)
    ]


def fat_cell_genes(atlas: Atlas, training: TrainingCentroids, n: int) -> pd.DataFrame:
    """Return the targets predicted to lower and to raise fat cells most, with reasons."""
    adipo = training.proportions["adipo"] - training.proportions.loc[CONTROL_LABEL, "adipo"]
    ranked = atlas.table.sort_values("fat")
    chosen = pd.concat(
        [ranked.head(n).assign(fat_cells="fewer"), ranked.tail(n)[::-1].assign(fat_cells="more")]
    )
    reasons = [
        ", ".join(f"{k} ({adipo[k]:+.3f})" for k in names.split(", ") if k in adipo.index)
        for names in chosen["nearest"]
    ]
    return pd.DataFrame(
        {
            "fat cells": chosen["fat_cells"],
            "score": chosen["fat"],
            "expected Pearson delta": chosen["expected"],
            "expressed": chosen["expression"],
            "nearest knock-outs (their measured shift of adipo)": reasons,
        }
    )
