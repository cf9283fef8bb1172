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
    Draw,
    heat,
    legend_below,
    name_points,
    picture,
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


def draw_differences(found: Sequence[Comparison]) -> Draw:
    """Every difference to the shipped submission with its interval: right is better."""

    def draw(figure: Figure) -> None:
        for ax, metric in zip(figure.subplots(len(METRICS)), METRICS, strict=True):
            rows = [(c, c.difference) for c in found if c.metric == metric and c.difference]
            sign = SIGNS[metric]
            ax.axvline(0, color="C0", lw=1)
            for number, (c, gain) in enumerate(rows):
                colour = VERDICT_COLOURS.get(c.verdict, "C7")
                ends = [sign * gain.low, sign * gain.high]
                ax.plot(ends, [number, number], color=colour, lw=2, solid_capstyle="butt")
                ax.plot(sign * gain.mean, number, "o", color=colour, ms=5)
            ax.set_title(f"{TITLES[metric]} gained over {short(found[0].reference)}")
            ax.set_yticks(range(len(rows)), [short(c.contender) for c, _ in rows])
            ax.set_ylim(len(rows) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
            ax.locator_params(axis="x", nbins=5)

    return draw


def forest(comparisons: Sequence[Comparison]) -> str:
    """Draw what decides: every difference with its interval."""
    found = [c for c in comparisons if c.difference]
    n = {v: sum(c.verdict == v for c in found) for v in ("better", "worse")}
    own = [c for c in comparisons if c.contender == c.reference]
    scores = ", ".join(f"{TITLES[c.metric]} {c.score.mean:.4f}" for c in own)
    says = (
        f"Right of the line is better than {own[0].reference} ({scores}), in every metric. Of "
        f"{len(found)} differences {n['better']} are really better (green), {n['worse']} really "
        "worse (red); the grey ones cannot be told from noise."
    )
    size = forest_size(len(found) // len(METRICS))
    return picture(draw_differences(found), "Differences to the reference", says, size)


def forest_size(n_rows: int) -> tuple[float, float]:
    """Inches for a block of rows for each metric."""
    return NARROW[0], len(METRICS) * (ROW * 1.4 * n_rows + 0.75)


def against(means: Means, facts: pd.Series, what: str, *, log: bool) -> str:
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
    names = list(means["mmd"])
    facts = facts.reindex(means["mmd"].index).dropna()
    means = {metric: table.loc[facts.index] for metric, table in means.items()}
    if len(facts) < KNOCKOUTS_A_GROUP:
        return ""
    n_groups = min(MOST_GROUPS, len(facts) // KNOCKOUTS_A_GROUP)
    groups = pd.qcut(facts, n_groups, labels=False, duplicates="drop")
    at = facts.groupby(groups).mean()
    by_group = {metric: table.groupby(groups).mean() for metric, table in means.items()}

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(METRICS), sharex=True)
        for ax, metric in zip(panels, METRICS, strict=True):
            ax.scatter(facts, means[metric][names[0]], 9, color="C0", alpha=0.6)
            for number, name in enumerate(names):
                width, colour = 1.2 if number else 2, f"C{number % 7}"
                ax.plot(at, by_group[metric][name], "o-", ms=3, lw=width, color=colour, label=name)
            ax.set_ylabel(TITLES[metric])
        panels[-1].set_xlabel(what)
        if log:
            plain_log(panels[-1], "x")
        legend_below(figure, panels[0])
        for ax, metric in zip(panels, METRICS, strict=True):
            y = means[metric][names[0]]
            name_points(figure, ax, facts, y, (y - y.median()).abs().nlargest(N_NAMED).index)

    told = []
    for metric, sign in SIGNS.items():
        rho, p = rank_correlation(facts.to_numpy(), means[metric][names[0]].to_numpy())
        n_led = ((sign * by_group[metric]).idxmax(axis=1) == names[0]).sum()
        told.append(f"{TITLES[metric]} {rho:+.2f} (p {p:.2g}), best in {n_led}")
    says = (
        f"Dots: {names[0]}, one a knock-out; lines: means of {len(at)} groups. Its scores' rank "
        f"correlation with {what}, and in how many groups it is best: {'; '.join(told)}."
    )
    return picture(draw, f"Scores against {what}", says, (4.2, 6.6))


def every_knockout(means: Means) -> str:
    """Draw all scores as coloured cells, a row a knock-out, the shipped one's best on top."""
    names = list(means["mmd"])
    order = means["pearson_delta"][names[0]].sort_values(ascending=False).index

    def draw(figure: Figure) -> None:
        for ax, metric in zip(figure.subplots(1, len(METRICS), sharey=True), METRICS, strict=True):
            values = SIGNS[metric] * means[metric].loc[order]
            low, high = np.quantile(values, [0.02, 0.98])
            heat(ax, values, cmap="viridis", vmin=low, vmax=high)
            ax.set_title(TITLES[metric])

    is_best = means["pearson_delta"].idxmax(axis=1) == names[0]
    says = (
        f"Bright is good, in all three; sorted by the Pearson delta of {names[0]}, the best of all "
        f"for {is_best.sum()} of {len(order)} knock-outs. Numbers: below."
    )
    size = (1.1 + 0.27 * len(METRICS) * len(names), ROW * len(order) + 2)
    return picture(draw, "Scores of every knock-out", says, size)
