"""A cross-validation that ran, the fast way or of black boxes: compared, told, and as numbers."""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from evaluation.crossval.baselines import BASELINES
from evaluation.crossval.comparison import Comparison, by_perturbation, compare, tables
from evaluation.crossval.folds import SharedData
from evaluation.crossval.scores import Example, Scored
from evaluation.scoring.metrics import METRICS, NO_CORRELATION
from evaluation.scoring.panels import describe_panels


@dataclass(frozen=True)
class CrossValidation:
    """A cross-validation that ran, the fast way or of black boxes."""

    shared: SharedData
    scores: pd.DataFrame
    comparisons: list[Comparison]
    words: dict[str, str]
    examples: dict[str, Example]


def compared(
    data: Path, shared: SharedData, scored: Scored, words: dict[str, str]
) -> CrossValidation:
    """Compare, and say what was run, in words besides those given."""
    settings, scores = shared.settings, scored.scores
    panels = describe_panels(len(shared.truth.columns), *settings.panel)
    told = {
        "Data": f"{data.resolve().name}: {shared.summary.training.description}",
        "Folds": f"{settings.n_folds}, dealt {settings.n_repeats} times, each anew",
        "Panels": f"{panels}; anew for every fold",
        "Interval": "95 percent, for the expected score over new knock-outs; with one repeat "
        "too narrow where knock-outs held out together score alike",
    }
    comparisons = compare(scores, len(BASELINES))
    return CrossValidation(shared, scores, comparisons, told | words, scored.examples)


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
    means, settings = by_perturbation(result.scores), result.shared.settings
    panel = dict(zip(("panel", "panel_genes", "panel_draws"), settings.panel, strict=True))
    return {
        "settings": {"n_folds": settings.n_folds, "n_repeats": settings.n_repeats, **panel},
        "notes": result.words,
        "comparisons": [asdict(c) | {"verdict": c.verdict} for c in result.comparisons],
        "perturbations": {
            metric: pd.DataFrame(means[metric]).to_dict(orient="index") for metric in METRICS
        },
        "rows": result.scores.astype({"contender": str}).to_dict(orient="records"),
    }
