"""The fast way: main.py's fit() and predict() on perturbations held out of training."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from evaluation.command import users_main
from evaluation.crossval.contenders import Contender
from evaluation.crossval.examples import Example, example_of
from evaluation.crossval.folds import SEED, Truth, split
from evaluation.crossval.workers import Workers, map_tasks
from evaluation.scoring.metrics import has_direction, l1_distance, mmd, pearson_delta
from evaluation.scoring.panels import draw_panels
from perturbation.competition import CELLS_PER_PERTURBATION, PROGRAM_FLAGS, PROGRAMS
from perturbation.data.centroids import TrainingCentroids
from perturbation.data.summary import Summary
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import checked_cells
from perturbation.output.model_file import Model


@dataclass(frozen=True)
class Settings:
    """What a cross-validation does.

    Attributes
    ----------
    contenders
        Submissions to score on the same folds and panels, the shipped one first.
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
        From the path that a contender names, or "" for what ships, to the gene features.
    settings
        What to do.
    """

    summary: Summary
    truth: Truth
    gene_features: dict[str, GeneFeatures]
    settings: Settings


@dataclass(frozen=True)
class Fold:
    """One fold of one repeat."""

    repeat: int
    number: int
    held_out: list[str]


Answer = tuple[Iterator[np.ndarray], pd.DataFrame]
"""Cells of each held-out perturbation in turn, (100, n_scored), and the proportions (n, 4)."""


@dataclass(frozen=True)
class FoldAnswers:
    """What every contender says of a fold, made without its truth.

    Attributes
    ----------
    panels
        Columns of the training file to score on.
    training
        What the training cells say.
    of
        From a contender's name to its answer, on the columns that may be scored.
    """

    panels: list[np.ndarray]
    training: TrainingCentroids
    of: dict[str, Answer]


class Scored(NamedTuple):
    """Scores, and from a perturbation to what a page shows of it in the first repeat."""

    scores: pd.DataFrame
    examples: dict[str, Example]


def cross_validate(material: Material, workers: Workers) -> Scored:
    """Score every contender on every perturbation, each held out once a repeat.

    Returns
    -------
    Scores: one row for each repeat, perturbation, contender and panel draw: columns repeat,
    fold, perturbation, contender, draw, pearson_delta, mmd, has_direction, l1 and the predicted
    proportions. The same, bit for bit, for any number of workers.
    """
    tasks = list(all_folds(material.summary, material.settings))
    return as_table(map_tasks(score_fold, material, tasks, workers, "folds"), material.settings)


def as_table(folds: Iterable[Scored], settings: Settings) -> Scored:
    """Put the scores of all folds together, in an order that does not depend on theirs."""
    frames, examples = zip(*folds, strict=True)
    scores = pd.concat(frames)
    names = [contender.name for contender in settings.contenders]
    scores["contender"] = pd.Categorical(scores["contender"], categories=names)
    keys = ["repeat", "fold", "perturbation", "contender", "draw"]
    return Scored(scores.sort_values(keys, ignore_index=True), dict(ChainMap(*examples)))


def all_folds(summary: Summary, settings: Settings) -> Iterator[Fold]:
    """Yield the folds of every repeat."""
    for repeat in range(settings.n_repeats):
        names = list(summary.training.perturbation_centroids.index)
        folds = split(names, settings.n_folds, repeat)
        yield from (Fold(repeat, number, held_out) for number, held_out in enumerate(folds))


def score_fold(material: Material, fold: Fold) -> Scored:
    """Predict one fold from its training part, then score it with its truth."""
    training = material.summary.without(fold.held_out)
    answers = predict_fold(material, training, fold)
    return score(answers, material.truth.of(fold.held_out), fold)


def predict_fold(material: Material, training: Summary, fold: Fold) -> FoldAnswers:
    """Fit everything on the training part; the names of the held-out ones are all it is told."""
    main, settings = users_main(), material.settings
    scored = training.training.genes[material.truth.columns].tolist()
    models: dict[tuple[str, str], Model] = {}
    answers = {}
    for contender in settings.contenders:
        features = material.gene_features[contender.features]
        key = contender.cells, contender.features
        if key not in models:
            models[key] = main.fit(training, features, **contender.fit_parts())
        cells, proportions = main.predict(
            models[key], features, fold.held_out, scored, **contender.predict_parts()
        )
        shape = (CELLS_PER_PERTURBATION, len(scored))
        answers[contender.name] = checked_cells(cells, len(fold.held_out), shape), proportions
    return FoldAnswers(
        panels=draw_fold_panels(material, training, fold),
        training=training.training,
        of=answers,
    )


def draw_fold_panels(material: Material, training: Summary, fold: Fold) -> list[np.ndarray]:
    """Columns to score a fold on, several times over; what varies is said of training alone."""
    settings, rng = material.settings, np.random.default_rng([SEED, fold.repeat, fold.number])
    panel = (settings.panel, settings.panel_genes, settings.panel_draws)
    return draw_panels(training.cells, material.truth.columns, panel, rng)


def score(answers: FoldAnswers, truth: Truth, fold: Fold) -> Scored:
    """Score every contender on every perturbation and panel, one row each."""
    rows = []
    seen: dict[str, dict[str, np.ndarray]] = {}
    panels = [np.searchsorted(truth.columns, panel) for panel in answers.panels]
    centre = answers.training.perturbed_centroid[truth.columns]
    for contender, (cells, proportions) in answers.of.items():
        for name, predicted in zip(truth.centroids.index, cells, strict=True):
            shares = proportions.loc[name, list(PROGRAM_FLAGS)].to_dict()
            of_all = {"perturbation": name, "contender": contender, **shares}
            of_all["l1"] = l1_distance(truth.proportions.loc[name], shares)
            first_cells = truth.cells_of(name)
            mean = truth.centroids.loc[[name]].to_numpy()
            not_own = truth.centroids.columns != name
            if fold.repeat == 0:
                seen.setdefault(name, {"true": first_cells[:, panels[0]]})
                seen[name][contender] = predicted[:, panels[0]]
            for draw, panel in enumerate(panels):
                here, at = predicted[:, panel], centre[panel]
                rows.append(
                    {
                        **of_all,
                        "draw": draw,
                        "pearson_delta": pearson_delta(mean[:, panel], here, at),
                        **_looked_at(mean[:, panel], here, at, not_own[panel]),
                        "mmd": mmd(first_cells[:, panel], here),
                        "has_direction": has_direction(here, at),
                    }
                )
    programs = answers.training.program_centroids.loc[list(PROGRAMS)].iloc[:, answers.panels[0]]
    centroids, at = truth.centroids.iloc[:, panels[0]].T, centre[panels[0]]
    examples = {
        name: example_of(cells, centroids[name], at, programs) for name, cells in seen.items()
    }
    return Scored(pd.DataFrame(rows).assign(repeat=fold.repeat, fold=fold.number), examples)


def _looked_at(
    truth: np.ndarray, rows: np.ndarray, centre: np.ndarray, not_own: np.ndarray
) -> dict[str, float]:
    """What the report shows and no board scores: lengths, and the score without the own gene."""
    without = pearson_delta(truth[:, not_own], rows[:, not_own], centre[not_own])
    return {
        "pearson_without_own": without,
        "true_length": float(np.linalg.norm(truth[0] - centre)),
        "predicted_length": float(np.linalg.norm(rows.mean(axis=0, dtype=np.float64) - centre)),
    }
