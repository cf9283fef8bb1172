"""The run that ``local_test.py --cv`` asks for: read, cross-validate, compare, tell."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from evaluation.command import users_main
from evaluation.crossval.baselines import BASELINES
from evaluation.crossval.comparison import Comparison, by_perturbation, compare, tables
from evaluation.crossval.contenders import Contender
from evaluation.crossval.examples import Example
from evaluation.crossval.fast import cross_validate
from evaluation.crossval.folds import Settings, SharedData, read_shared
from evaluation.crossval.scores import Scored
from evaluation.crossval.small_cut import check_can_be_judged, check_small_cut
from evaluation.crossval.workers import Workers
from evaluation.report.words import learnt_weights
from evaluation.scoring.metrics import METRICS, NO_CORRELATION
from evaluation.scoring.panels import describe_panels
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.model.parts import fitted


@dataclass(frozen=True)
class CrossValidation:
    """A cross-validation that ran, the fast way or of black boxes."""

    shared: SharedData
    scores: pd.DataFrame
    comparisons: list[Comparison]
    words: dict[str, str]
    examples: dict[str, Example]


def gather(
    data: Path, model: Path, contenders: Sequence[Contender], settings: Settings
) -> SharedData:
    """Read all that folds share, in one pass over the training cells.

    Of the model directory the gene features alone are read; models are trained fold by fold.
    """
    paths = {contender.features for contender in contenders}
    features = {path: load_gene_features(path or model / GENE_FEATURES_FILE) for path in paths}
    return read_shared(data, settings, {c: features[c.features] for c in contenders})


def run(
    data: Path,
    model: Path,
    contenders: Sequence[Contender],
    settings: Settings,
    workers: Workers,
) -> CrossValidation:
    """Cross-validate and compare; see `gather`."""
    check_can_be_judged()  # before minutes of reading
    shared = gather(data, model, contenders, settings)
    check_small_cut(shared.summary, model)
    return compared(data, shared, cross_validate(shared, workers), learnt_by(shared))


def compared(
    data: Path, shared: SharedData, scored: Scored, words: dict[str, str]
) -> CrossValidation:
    """Compare, and say what was run, in words besides those given."""
    settings, scores = shared.settings, scored.scores
    panels = describe_panels(len(shared.truth.columns), *settings.panel)
    told = {
        "Data": f"{data.name}: {shared.summary.training.description}",
        "Folds": f"{settings.n_folds}, dealt {settings.n_repeats} times, each anew",
        "Panels": f"{panels}; anew for every fold",
        "Interval": "95 percent, for the expected score over new knock-outs; with one repeat "
        "too narrow where knock-outs held out together score alike",
    }
    comparisons = compare(scores, len(BASELINES))
    return CrossValidation(shared, scores, comparisons, told | words, scored.examples)


def learnt_by(shared: SharedData) -> dict[str, str]:
    """Say what the shipped predictor weighs, trained on all knock-outs, with each feature file."""
    words: dict[str, str] = {}
    make = getattr(users_main(), "shipped_predictor", None)
    if make is None:  # a main.py of one's own may do without
        return words
    files = {contender.features: features for contender, features in shared.contenders.items()}
    for path, features in files.items():
        predictor = fitted(make(), shared.summary.training, features)
        for kind, weights in learnt_weights(predictor, features).items():
            words[f"{kind}, {path or 'shipped'}"] = weights
    return words


def describe(result: CrossValidation) -> str:
    """Return what was run, a table a metric, and a sentence for every difference."""
    scores = result.scores
    lines = [f"{name}: {words}." for name, words in result.words.items()]
    share = (scores["pearson_delta"] == 0).groupby(scores["contender"], observed=True).mean()
    lines += [
        f"Pearson delta of {name} is 0 in {100 * part:.0f} percent of cases: {NO_CORRELATION}."
        for name, part in share[share > 0].items()
    ]
    for table in tables(result.comparisons).values():
        lines += ["", table.to_string()]
    return "\n".join([*lines, "", *[c.sentence for c in result.comparisons if c.difference]])


def as_json(result: CrossValidation) -> dict[str, object]:
    """Return every number, under keys that stay."""
    means = by_perturbation(result.scores)
    return {
        "settings": asdict(result.shared.settings),
        "notes": result.words,
        "comparisons": [asdict(c) | {"verdict": c.verdict} for c in result.comparisons],
        "perturbations": {
            metric: pd.DataFrame(means[metric]).to_dict(orient="index") for metric in METRICS
        },
        "rows": result.scores.astype({"contender": str}).to_dict(orient="records"),
    }
