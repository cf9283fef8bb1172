"""Pictures of scores, every contender in each: what decides, and where each earns or fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluation.crossval.comparison import TITLES, Comparison
from evaluation.report.figures import (
    NARROW,
    ROW,
    Picture,
    heat,
    name_points,
    plain_log,
    short,
)
from evaluation.report.words import rank_correlation
from evaluation.scoring.metrics import METRICS

SIGNS = {metric: 1 if better == "higher" else -1 for metric, better in METRICS.items()}
VERDICT_COLOURS = {"": "C0", "better": "C2", "worse": "C4"}
MOST_GROUPS = 5
KNOCKOUTS_A_GROUP = 4
N_NAMED = 3
Means = Mapping[str, pd.DataFrame]
"""From a metric to mean scores, knock-outs x contenders, the shipped one first."""


def forest(comparisons: Sequence[Comparison]) -> Picture:
    """Draw what decides: every difference to the reference with its interval, right is better."""
    own, found = comparisons[0], [c for c in comparisons if c.difference]

    def draw(figure: Figure) -> None:
        for ax, metric in zip(figure.subplots(len(METRICS)), METRICS, strict=True):
            rows = [(c, c.difference) for c in found if c.metric == metric and c.difference]
            ax.axvline(0, color="C0", lw=1)
            for number, (c, gain) in enumerate(rows):
                ends = SIGNS[metric] * np.array([gain.low, gain.mean, gain.high])
                colour = VERDICT_COLOURS.get(c.verdict, "C7")
                ax.plot(ends, [number] * 3, "o-", markevery=[1], color=colour, lw=2)
            ax.set_title(f"{TITLES[metric]} gained over {short(own.reference)}")
            ax.set_yticks(range(len(rows)), [short(c.contender) for c, _ in rows])
            ax.set_ylim(len(rows) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
            ax.locator_params(axis="x", nbins=5)

    n = {v: sum(c.verdict == v for c in found) for v in ("better", "worse")}
    says = (
        f"Right of the line is better than {own.reference}, in every metric. Of "
        f"{len(found)} differences {n['better']} are really better (green), {n['worse']} really "
        "worse (red); the grey ones cannot be told from noise."
    )
    size = NARROW[0], ROW * 1.4 * len(found) + 0.75 * len(METRICS)
    return Picture(draw, "Differences to the reference", says, size)


def against(means: Means, facts: pd.Series, what: str, *, log: bool) -> Picture | str:
    """Draw all metrics against a fact about the knock-outs: the shipped dots, every mean a line.

    Parameters
    ----------
    means
        Of every metric.
    facts
        By knock-out; those without one are left out.
    what, log
        What it is, and whether its axis is logarithmic.
    """
    facts = facts.reindex(means["mmd"].index).dropna()
    if len(facts) < KNOCKOUTS_A_GROUP:
        return ""
    n_groups = min(MOST_GROUPS, len(facts) // KNOCKOUTS_A_GROUP)
    groups = pd.qcut(facts, n_groups, labels=False, duplicates="drop")
    first = {metric: table.iloc[:, 0].loc[facts.index] for metric, table in means.items()}

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(METRICS), sharex=True)
        for ax, metric in zip(panels, METRICS, strict=True):
            ax.scatter(facts, first[metric], 9, color="C0", alpha=0.6)
            lines = means[metric].rename(columns=short).groupby(groups).mean()
            ax.plot(facts.groupby(groups).mean(), lines, "o-", ms=3, lw=1.2, label=list(lines))
            ax.set_ylabel(TITLES[metric])
        ax.set_xlabel(what)
        if log:
            plain_log(ax, "x")
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        for ax, metric in zip(panels, METRICS, strict=True):
            name_points(figure, ax, facts, first[metric], N_NAMED)

    told = []
    for metric, of in first.items():
        rho, p = rank_correlation(facts, of)
        told.append(f"{TITLES[metric]} {rho:+.2f} (p {p:.2g})")
    says = (
        f"Dots: {first['mmd'].name}, one a knock-out; lines: means of {groups.nunique()} groups. "
        f"Its scores' rank correlation with {what}: {'; '.join(told)}."
    )
    return Picture(draw, f"Scores against {what}", says, (4.2, 6.6))


def every_knockout(means: Means) -> Picture:
    """Draw all scores as coloured cells, a row a knock-out, the shipped one's best on top."""
    pearson = means["pearson_delta"]
    order = pearson.iloc[:, 0].sort_values(ascending=False).index

    def draw(figure: Figure) -> None:
        for ax, metric in zip(figure.subplots(1, len(METRICS), sharey=True), METRICS, strict=True):
            values = SIGNS[metric] * means[metric].loc[order]
            low, high = np.quantile(values, [0.02, 0.98])
            heat(ax, values, cmap="viridis", vmin=low, vmax=high)
            ax.set_title(TITLES[metric])

    n_best = (pearson.idxmax(axis=1) == pearson.columns[0]).sum()
    says = (
        f"Bright is good, in all three; sorted by the Pearson delta of {pearson.columns[0]}, the "
        f"best of all for {n_best} of {len(order)} knock-outs. Numbers: below."
    )
    size = 1.1 + 0.27 * len(METRICS) * pearson.shape[1], ROW * len(order) + 2
    return Picture(draw, "Scores of every knock-out", says, size)
