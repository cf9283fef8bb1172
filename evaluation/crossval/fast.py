"""Score predictors on perturbations held out of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.crossval.contenders import Contender, make_predictor, named
from evaluation.crossval.folds import SEED, Truth, split
from evaluation.crossval.workers import Workers, map_tasks
from evaluation.scoring.metrics import has_direction, l1_distance, mmd, pearson_delta
from evaluation.scoring.panels import draw_panels
from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.summary import Summary
from perturbation.errors import InputError
from perturbation.model.cells import BaseCells, choose_cells
from perturbation.model.gene_features import GeneFeatures


@dataclass(frozen=True)
class Settings:
    """What a cross-validation does.

    Attributes
    ----------
    contenders
        Predictors to score on the same folds and panels, the shipped one first.
    n_folds, n_repeats
        Perturbations are dealt into folds, anew for every repeat.
    panel, panel_genes, panel_draws
        See `evaluation.scoring.panels.draw_panels`; drawn anew for every fold.
    """

    contenders: tuple[Contender, ...]
    n_folds: int
    n_repeats: int = 1
    panel: str = "variable"
    panel_genes: int = 1000
    panel_draws: int = 3


@dataclass(frozen=True)
class Material:
    """What all folds share.

    Attributes
    ----------
    summary
        What train() would sum up of all training data.
    truth
        About every perturbation.
    gene_features
        What is known about genes before any experiment.
    settings
        What to do.
    """

    summary: Summary
    truth: Truth
    gene_features: GeneFeatures
    settings: Settings


@dataclass(frozen=True)
class Prediction:
    """What a contender says of the held-out perturbations.

    Attributes
    ----------
    centroids
        (n_held_out, n_genes) float64, non-negative.
    proportions
        (n_held_out, 4).
    """

    centroids: np.ndarray
    proportions: pd.DataFrame


@dataclass(frozen=True)
class FoldPredictions:
    """Everything that is fitted in a fold, made without its truth.

    Attributes
    ----------
    base_cells
        (100, n_genes) float32, the training cells that every contender's cells are made of.
    panels
        Columns to score on.
    of
        From a contender's name to its prediction.
    perturbed_centroid
        (n_genes,) PM of the training cells.
    """

    base_cells: np.ndarray
    panels: list[np.ndarray]
    of: dict[str, Prediction]
    perturbed_centroid: np.ndarray


def cross_validate(material: Material, workers: Workers) -> pd.DataFrame:
    """Score every contender on every perturbation, each held out once a repeat.

    Returns
    -------
    DataFrame, one row for each repeat, perturbation, contender and panel draw: columns repeat,
    fold, perturbation, contender, draw, pearson_delta, mmd, has_direction, l1 and the predicted
    proportions. The same, bit for bit, for any number of workers.
    """
    tasks = list(all_folds(material.summary, material.settings))
    scores = pd.concat(map_tasks(score_fold, material, tasks, workers, "folds"))
    names = [contender.name for contender in material.settings.contenders]
    scores["contender"] = pd.Categorical(scores["contender"], categories=names)
    keys = ["repeat", "fold", "perturbation", "contender", "draw"]
    return scores.sort_values(keys, ignore_index=True)


@dataclass(frozen=True)
class Fold:
    """One fold of one repeat."""

    repeat: int
    number: int
    held_out: list[str]


def all_folds(summary: Summary, settings: Settings) -> Iterator[Fold]:
    """Yield the folds of every repeat."""
    for repeat in range(settings.n_repeats):
        folds = split(list(summary.centroids.index), settings.n_folds, repeat)
        yield from (Fold(repeat, number, held_out) for number, held_out in enumerate(folds))


def score_fold(material: Material, fold: Fold) -> pd.DataFrame:
    """Predict one fold from its training part, then score it with its truth."""
    training = material.summary.without(fold.held_out)
    predictions = predict_fold(material, training, fold)
    scores = score(predictions, material.truth.of(fold.held_out))
    return scores.assign(repeat=fold.repeat, fold=fold.number)


def score(predictions: FoldPredictions, truth: Truth) -> pd.DataFrame:
    """Score every contender on every held-out perturbation and panel, one row each."""
    rows = [
        {"perturbation": name, "contender": contender, "draw": draw, **scores}
        for draw, panel in enumerate(predictions.panels)
        for name, contender, scores in _score_panel(predictions, truth, panel)
    ]
    of_proportions = _score_proportions(predictions, truth)
    return pd.DataFrame(rows).merge(of_proportions, on=["perturbation", "contender"])


def predict_fold(material: Material, training: Summary, fold: Fold) -> FoldPredictions:
    """Fit everything on the training part; the names of the held-out ones are all it is told."""
    settings = material.settings
    rng = np.random.default_rng([SEED, fold.repeat, fold.number])
    panel = (settings.panel, settings.panel_genes, settings.panel_draws)
    perturbed = np.flatnonzero(training.cell_labels != CONTROL_LABEL)
    chosen = choose_cells(training.cells, perturbed, CELLS_PER_PERTURBATION)
    return FoldPredictions(
        base_cells=training.cells[chosen].toarray(),
        panels=draw_panels(training.cells, material.truth.columns, *panel, rng),
        of={
            contender.name: predict(contender, training, material.gene_features, fold.held_out)
            for contender in settings.contenders
        },
        perturbed_centroid=training.perturbed_centroid,
    )


def predict(
    contender: Contender,
    training: Summary,
    gene_features: GeneFeatures,
    perturbations: list[str],
) -> Prediction:
    """Fit a contender on copies of the training part, which it may spoil, and ask it.

    Raises
    ------
    InputError
        If fit() returns nothing, or the answer has another shape or values that are not finite.
    """
    predictor = make_predictor(contender.predictor).fit(
        training.centroids.copy(),
        training.n_cells.copy(),
        training.control_centroid.copy(),
        gene_features,
    )
    if predictor is None:
        raise InputError(f"{contender.predictor}: fit() returned nothing; end it with return self.")
    centroids = np.asarray(predictor.predict(perturbations), dtype=np.float64)
    expected = (len(perturbations), len(training.genes))
    if centroids.shape != expected or not np.isfinite(centroids).all():
        raise InputError(
            f"{contender.predictor}: predict() returned {centroids.shape} with "
            f"{int((~np.isfinite(centroids)).sum())} values that are not finite; expected "
            f"{expected}, all finite."
        )
    proportions = named(contender.proportions)(
        training.proportions.copy(), perturbations, gene_features
    )
    return Prediction(np.maximum(centroids, 0), proportions)


def _score_panel(
    predictions: FoldPredictions, truth: Truth, panel: np.ndarray
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Score the cells of each held-out perturbation and contender on one panel."""
    base = BaseCells(predictions.base_cells[:, panel])
    centre = predictions.perturbed_centroid[panel]
    here = np.searchsorted(truth.columns, panel)
    cells = truth.cells[:, here].toarray().astype(np.float64)
    means = truth.centroids.to_numpy()[:, here]
    for i, name in enumerate(truth.centroids.index):
        first_cells = cells[truth.cell_labels == name]
        for contender, prediction in predictions.of.items():
            centroid = prediction.centroids[i, panel]
            rows = base.with_mean(centroid)
            directed = has_direction(centroid[None], centre)
            # subtle: the rows round a centroid that equals PM, and the noise has a direction
            pearson = pearson_delta(means[[i]], rows, centre) if directed else 0.0
            scores = {"pearson_delta": pearson, "mmd": mmd(first_cells, rows)}
            yield name, contender, scores | {"has_direction": directed}


def _score_proportions(predictions: FoldPredictions, truth: Truth) -> pd.DataFrame:
    """Return L1 and the predicted proportions, one row a held-out perturbation and contender."""
    true = truth.proportions.to_dict(orient="index")
    rows = []
    for contender, prediction in predictions.of.items():
        for name, row in (
            prediction.proportions[list(PROGRAM_FLAGS)].to_dict(orient="index").items()
        ):
            score = {"l1": l1_distance(true[name], row)}
            rows.append({"perturbation": name, "contender": contender} | score | row)
    return pd.DataFrame(rows)
