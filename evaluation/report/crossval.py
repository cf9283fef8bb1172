"""The page about a cross-validation, the fast way or of whole submissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evaluation.crossval.comparison import TITLES, Comparison, by_perturbation
from evaluation.report import score_pictures as draw
from evaluation.report.examples import Example, cells_picture, effect_picture
from evaluation.report.page import bullets, facts, table, write_page
from evaluation.scoring.metrics import METRICS


@dataclass(frozen=True)
class Report:
    """What the page shows.

    Attributes
    ----------
    scores
        From `evaluation.crossval.fast.cross_validate`, or of whole submissions.
    comparisons
        From `evaluation.crossval.comparison.compare`.
    knockouts
        Index perturbation: cells, expression (of the target in control cells, NaN where it is not
        measured) and the observed share of every program.
    settings
        What was run, as words.
    examples
        Best, median and worst knock-out of the shipped submission; empty where cells are not kept.
    weights
        From a kind of weights that the shipped predictor learnt to these by name.
    """

    scores: pd.DataFrame
    comparisons: list[Comparison]
    knockouts: pd.DataFrame
    settings: Mapping[str, str]
    examples: Mapping[str, Example]
    weights: dict[str, pd.Series]


def write_report(report: Report, directory: Path) -> Path:
    """Write the page and return its path."""
    scores = report.scores
    lengths = scores.groupby("perturbation")["true_length"].mean()
    covariates = (
        (lengths, "the length of the effect", True),
        (report.knockouts["cells"], "the number of cells", True),
        (report.knockouts["expression"], "the target's expression", False),
    )
    sections = {
        "What decides": [draw.forest(report.comparisons), draw.levels(report.comparisons)],
        "In words": bullets([c.sentence for c in report.comparisons if c.difference]),
        "Where it earns and where it fails": [
            draw.against(scores, metric, values, what, log=log)
            for metric in METRICS
            for values, what, log in covariates
        ],
        "Predicted and observed effect": [
            *[effect_picture(rank, example) for rank, example in report.examples.items()],
            draw.own_transcript(scores),
            draw.strength(scores),
        ],
        "Predicted and true cells": [
            cells_picture(rank, example) for rank, example in report.examples.items()
        ],
        "Program proportions": draw.all_proportions(scores, report.knockouts),
        "What the shipped predictor weighs": draw.weights(report.weights),
        "Every knock-out": draw.every_knockout(scores),
        "Tables": "".join([*map(_score_table, [report] * 3, METRICS), _knockout_table(report)]),
        "Settings": facts(report.settings),
    }
    sections = {heading: content for heading, content in sections.items() if content}
    title = "Cross-validation on held-out knock-outs"
    return write_page(directory, title, report.settings["Data"], sections)


def _score_table(report: Report, metric: str) -> str:
    rows = {}
    for c in (c for c in report.comparisons if c.metric == metric):
        rows[c.contender] = {
            "mean": c.score.mean,
            "s.e.": c.score.standard_error,
            "95% interval": f"{c.score.low:.4f} to {c.score.high:.4f}",
        }
        if c.difference:
            rows[c.contender] |= {
                "minus " + c.reference: c.difference.mean,
                "95% interval of that": f"{c.difference.low:+.4f} to {c.difference.high:+.4f}",
                "verdict": c.verdict,
            }
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("contender")
    formats = {
        "mean": "{:.4f}",
        "s.e.": "{:.4f}",
        f"minus {report.comparisons[0].reference}": "{:+.4f}",
    }
    return table(frame, f"{TITLES[metric]}, {METRICS[metric]} is better", formats)


def _knockout_table(report: Report) -> str:
    means = by_perturbation(report.scores)
    named = {f"{TITLES[m]}, {name}": means[m][name] for m in METRICS for name in means[m]}
    frame = pd.DataFrame(named).rename_axis("knock-out")
    formats = dict.fromkeys(named, "{:.4f}")
    frame.insert(0, "cells", report.knockouts["cells"].reindex(frame.index))
    return table(
        frame, "Every knock-out, mean over repeats and panels", formats | {"cells": "{:,}"}
    )
