"""The run that ``local_test.py --cv`` asks for: gather material, compare, print, report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from evaluation.command import users_main
from evaluation.crossval.comparison import Comparison, by_perturbation, compare
from evaluation.crossval.contenders import BASELINES
from evaluation.crossval.examples import Example
from evaluation.crossval.fast import Material, Settings, cross_validate
from evaluation.crossval.folds import read_once
from evaluation.crossval.small_cut import check_can_be_judged, check_small_cut
from evaluation.crossval.workers import Workers
from evaluation.reading import columns_in, read_names
from evaluation.report.words import learnt_weights, weights_in_words
from evaluation.scoring.metrics import METRICS, NO_CORRELATION
from evaluation.scoring.panels import describe_panels
from perturbation.competition import GENES_FILE
from perturbation.data.dataset import open_dataset
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.parts import fitted


@dataclass(frozen=True)
class Finished:
    """A cross-validation that ran."""

    material: Material
    scores: pd.DataFrame
    comparisons: list[Comparison]
    words: dict[str, str]
    examples: dict[str, Example]


def gather(data: Path, model: Path, settings: Settings) -> Material:
    """Read all that folds share, in one pass over the training cells.

    Of the model directory the gene features alone are read; models are trained fold by fold.
    """
    paths = {contender.features for contender in settings.contenders}
    gene_features = {path: load_gene_features(path or model / GENE_FEATURES_FILE) for path in paths}
    return read_material(data, gene_features, settings)


def read_material(
    data: Path, gene_features: dict[str, GeneFeatures], settings: Settings
) -> Material:
    """Read the training cells once; InputError if genes to predict are not among theirs."""
    dataset = open_dataset(data)
    scored = columns_in(dataset, read_names(data / GENES_FILE), data / GENES_FILE)
    return Material(*read_once(dataset, scored), gene_features, settings)


def run(data: Path, model: Path, settings: Settings, workers: Workers) -> Finished:
    """Cross-validate and compare; see `gather`."""
    check_can_be_judged()  # before minutes of reading
    material = gather(data, model, settings)
    check_small_cut(material.summary, model)
    scores, examples = cross_validate(material, workers)
    comparisons = compare(scores, len(BASELINES))
    words = words_of(data, material) | learnt_of(material)
    return Finished(material, scores, comparisons, words, examples)


def learnt_of(material: Material) -> dict[str, str]:
    """Say what the shipped predictor weighs, trained on all knock-outs, with each feature file."""
    words: dict[str, str] = {}
    make = getattr(users_main(), "shipped_predictor", None)
    if make is None:  # a main.py of one's own may do without
        return words
    for path, features in material.gene_features.items():
        predictor = fitted(make(), material.summary.training, features)
        for kind, weights in learnt_weights(predictor, features).items():
            words[f"{kind}, {path or 'shipped'}"] = weights_in_words(weights)
    return words


def words_of(data: Path, material: Material) -> dict[str, str]:
    """Say what was run, for the report and the JSON file."""
    settings, n_scored = material.settings, len(material.truth.columns)
    panel = (n_scored, settings.panel, settings.panel_genes, settings.panel_draws)
    return {
        "Data": f"{data.name}: {material.summary.training.description}",
        "Folds": f"{settings.n_folds}, dealt {settings.n_repeats} times, each anew",
        "Panels": describe_panels(*panel) + "; the same for all predictors, anew for every fold",
        "Cells": "those of predict(), as infer() writes them",
        "Truth": "the first 100 cells of a knock-out in file order; all of them for its mean",
        "Proportions": "the controls' for the control centroid, the training mean for the other "
        "two baselines, else the shipped rule",
        "Interval": "95 percent, for the expected score over new knock-outs; studentised "
        f"bootstrap over knock-outs{_of_repeats(settings.n_repeats)}; those of differences the "
        "wider, the more contenders are compared",
    }


def _of_repeats(n_repeats: int) -> str:
    if n_repeats == 1:
        return "; too narrow where knock-outs held out together score alike: --repeats 3 tells"
    return ", repeats averaged first; widened by what knock-outs held out together share"


def describe_notes(finished: Finished) -> str:
    """Say what a reader of the table must know."""
    scores = finished.scores
    lines = [f"{name}: {words}." for name, words in finished.words.items()]
    share = (~scores["has_direction"]).groupby(scores["contender"], observed=True).mean()
    lines += [
        f"Pearson delta of {name} is 0 in {100 * part:.0f} percent of cases: {NO_CORRELATION}."
        for name, part in share[share > 0].items()
    ]
    return "\n".join(lines)


def as_json(finished: Finished) -> dict[str, object]:
    """Return every number, under keys that stay."""
    means = by_perturbation(finished.scores)
    tables = {metric: pd.DataFrame(means[metric]) for metric in METRICS}
    return {
        "settings": asdict(finished.material.settings),
        "notes": finished.words,
        "comparisons": [asdict(c) | {"verdict": c.verdict} for c in finished.comparisons],
        "perturbations": {name: table.to_dict(orient="index") for name, table in tables.items()},
        "rows": finished.scores.astype({"contender": str}).to_dict(orient="records"),
    }
