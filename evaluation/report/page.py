"""One self-contained HTML page about a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.crossval.comparison import TITLES, Comparison, by_perturbation
from evaluation.report.examples import Example
from evaluation.report.svg import Points, dumbbells, scatter
from evaluation.scoring.metrics import METRICS
from perturbation.competition import PROGRAM_FLAGS
from perturbation.files import whole_file

PAGE = "index.html"
ROWS_PER_CHART = 40
STYLE = Path(__file__).with_name("report.css")


@dataclass(frozen=True)
class Report:
    """What the page shows.

    Attributes
    ----------
    scores
        From `evaluation.crossval.fast.cross_validate`.
    comparisons
        From `evaluation.crossval.comparison.compare`.
    rival
        The contender drawn beside the shipped predictor.
    examples
        Best, median and worst knock-out of the shipped predictor.
    proportions
        (n_perturbations, 4) observed.
    settings
        What was run, as words.
    """

    scores: pd.DataFrame
    comparisons: list[Comparison]
    rival: str
    examples: Mapping[str, Example]
    proportions: pd.DataFrame
    settings: Mapping[str, str]


def write_report(report: Report, directory: Path) -> Path:
    """Write the page and return its path."""
    path = directory / PAGE
    with whole_file(path) as unfinished:
        unfinished.write_text(render(report), encoding="utf-8")
    return path


def render(report: Report) -> str:
    """Return the page."""
    sections = [
        ("Scores", _score_section(report.comparisons)),
        ("Every knock-out", _perturbation_section(report)),
        ("Predicted and observed effect", _effect_section(report.examples)),
        ("Predicted and true cells", _cell_section(report.examples)),
        ("Program proportions", _proportion_section(report)),
        ("Settings", _settings_list(report.settings)),
    ]
    body = "".join(f"<section><h2>{title}</h2>{content}</section>" for title, content in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Cross-validation</title><style>{STYLE.read_text()}</style></head><body>"
        "<h1>Cross-validation on held-out knock-outs</h1>"
        f'<p class="muted">{escape(report.settings["Data"])}</p>{body}</body></html>\n'
    )


def _score_section(comparisons: Sequence[Comparison]) -> str:
    tables = "".join(
        _score_table([c for c in comparisons if c.metric == metric], metric) for metric in METRICS
    )
    verdicts = "".join(f"<li>{escape(c.sentence)}</li>" for c in comparisons if c.difference)
    return f"{tables}<ul>{verdicts}</ul>"


def _score_table(comparisons: Sequence[Comparison], metric: str) -> str:
    minus = f"minus {comparisons[0].reference}"
    header = ("", "mean", "s.e.", "95% interval", minus, "95% interval", "")
    rows = []
    for c in comparisons:
        cells = [c.contender, f"{c.score.mean:.4f}", f"{c.score.standard_error:.4f}"]
        cells.append(f"{c.score.low:.4f} to {c.score.high:.4f}")
        if c.difference:
            span = f"{c.difference.low:+.4f} to {c.difference.high:+.4f}"
            cells += [f"{c.difference.mean:+.4f}", span, c.verdict]
        rows.append(cells + [""] * (len(header) - len(cells)))
    return _table(f"{TITLES[metric]}, {METRICS[metric]} is better", header, rows)


def _table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"
    return f'<div class="wide">{table}</div>'


def _legend(first: str, second: str) -> str:
    return (
        f'<p><span class="key a"></span>{escape(first)}'
        f'<span class="key b"></span>{escape(second)}</p>'
    )


def _perturbation_section(report: Report) -> str:
    """Draw all metrics in one order, the shipped predictor's best knock-outs on top."""
    means = by_perturbation(report.scores)
    shipped = means["pearson_delta"].columns[0]
    order = means["pearson_delta"][shipped].sort_values(ascending=False).index
    charts = []
    for names in np.array_split(order.to_numpy(), -(-len(order) // ROWS_PER_CHART)):
        charts += [_dumbbells(means[metric], names, metric, report.rival) for metric in METRICS]
    intro = "<p>Mean over repeats and panels; sorted by the Pearson delta of the shipped predictor."
    return f'{intro}</p>{_legend(shipped, report.rival)}<div class="charts">{"".join(charts)}</div>'


def _dumbbells(means: pd.DataFrame, names: np.ndarray, metric: str, rival: str) -> str:
    first, second = means.iloc[:, 0], means[rival]
    chart = dumbbells(
        names,
        first[names].to_numpy(),
        second[names].to_numpy(),
        title=f"{TITLES[metric]} of every knock-out, {first.name} and {rival}",
        x_label=f"{TITLES[metric]}, {METRICS[metric]} is better",
        limits=np.concatenate([first, second]),
    )
    return f"<figure>{chart}</figure>"


def _effect_section(examples: Mapping[str, Example]) -> str:
    charts = "".join(
        _figure(
            scatter(
                [Points(e.observed_delta, e.predicted_delta, names=e.genes)],
                "observed",
                "predicted",
                title=f"Predicted against observed effect of {e.perturbation}",
                rules=True,
                labels={e.perturbation},
            ),
            f"{rank}: {e.perturbation}, correlation {e.pearson_delta:.3f}",
        )
        for rank, e in examples.items()
    )
    return (
        "<p>Mean of the cells minus the perturbed centroid, one dot a gene of the panel, in "
        "log2(1 + counts per 100,000). The score is the correlation; scale does not matter. The "
        "knocked-out gene itself is named where it is on the panel.</p>"
        f'<div class="charts">{charts}</div>'
    )


def _cell_section(examples: Mapping[str, Example]) -> str:
    charts = "".join(
        _figure(
            scatter(
                [Points(*e.true_cells.T, "b", radius=3), Points(*e.predicted_cells.T, radius=3)],
                "component 1",
                "component 2",
                title=f"Predicted and true cells of {e.perturbation}",
            ),
            f"{rank}: {e.perturbation}, MMD {e.mmd:.4f}",
        )
        for rank, e in examples.items()
    )
    return (
        "<p>The first two principal components of both sets of cells together. Predicted cells "
        "should lie among the true ones, as widely spread.</p>"
        f'{_legend("predicted", "true")}<div class="charts">{charts}</div>'
    )


def _proportion_section(report: Report) -> str:
    shipped = report.scores["contender"].cat.categories[0]
    mine = report.scores[report.scores["contender"] == shipped]
    predicted = mine.groupby("perturbation")[list(PROGRAM_FLAGS)].mean()
    observed = report.proportions.loc[predicted.index]
    charts = "".join(
        _figure(
            scatter(
                [
                    Points(
                        observed[p].to_numpy(),
                        predicted[p].to_numpy(),
                        "a",
                        list(predicted.index),
                        3,
                    )
                ],
                "observed",
                "predicted",
                title=f"Predicted against observed share of {p}",
                diagonal=True,
                size=(250, 240),
            ),
            p,
        )
        for p in PROGRAM_FLAGS
    )
    return (
        "<p>Share of the cells in each program, one dot a knock-out, mean over repeats. On the "
        f'line, prediction and truth agree.</p><div class="charts four">{charts}</div>'
    )


def _figure(chart: str, caption: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{chart}</figure>"


def _settings_list(settings: Mapping[str, str]) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in settings.items()
    )
    return f"<dl>{rows}</dl>"
