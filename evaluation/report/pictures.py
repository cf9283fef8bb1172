"""Pictures of a cross-validation, every contender in each."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluation.crossval.comparison import TITLES, Comparison
from evaluation.report.figures import (
    NARROW,
    ROW,
    UNIT,
    Picture,
    heat,
    name_points,
    scatter,
    short,
)
from evaluation.report.page import table
from evaluation.report.words import rank_correlation
from evaluation.scoring.metrics import METRICS
from perturbation.competition import PROGRAMS

SIGNS = {metric: 1 if better == "higher" else -1 for metric, better in METRICS.items()}
VERDICT_COLOURS = {"better": "C2", "worse": "C4"}
MOST_GROUPS = 5
KNOCKOUTS_A_GROUP = 4
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

    n_better, n_worse = (sum(c.verdict == v for c in found) for v in ("better", "worse"))
    says = (
        f"Right of the line is better than {own.reference}. Of {len(found)} differences {n_better} "
        f"are really better (green), {n_worse} really worse (red); grey ones may be noise."
    )
    size = NARROW[0], ROW * 1.4 * len(found) + 0.75 * len(METRICS)
    return Picture(draw, "Differences to the reference", says, size)


def against(means: Means, facts: pd.Series, what: str) -> Picture | str:
    """Draw all metrics against a fact about the knock-outs: the shipped dots, every mean a line.

    Parameters
    ----------
    means
        Of every metric.
    facts
        By knock-out; those without one are left out.
    what
        What it is.
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
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        for ax, metric in zip(panels, METRICS, strict=True):
            name_points(figure, ax, facts, first[metric], n_named=3)

    told = ", ".join(f"{rank_correlation(facts, of)[0]:+.2f}" for of in first.values())
    says = (
        f"Dots: {first['mmd'].name}; lines: means of {groups.nunique()} groups of knock-outs. Rank "
        f"correlation of the dots with {what}: {told}."
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
        f"Bright is good. Sorted by the Pearson delta of {pearson.columns[0]}, the best of all for "
        f"{n_best} of {len(order)} knock-outs."
    )
    size = 1.1 + 0.27 * len(METRICS) * pearson.shape[1], ROW * len(order) + 2
    return Picture(draw, "Scores of every knock-out", says, size)


def _against_truth(true: pd.Series, predicted: pd.DataFrame, what: str, says: str) -> Picture:
    ends = [true.min(), true.max()]
    right = pd.DataFrame({"right": ends}, ends)
    return scatter(true, predicted, f"true {what}", "predicted", says, lines=right)


def _by_contender(scores: pd.DataFrame, column: str) -> pd.DataFrame:
    """(n_knockouts, n_contenders) means over repeats and panels."""
    return scores.pivot_table(column, "perturbation", "contender", observed=True)


def effect(name: str, effects: pd.DataFrame, score: float) -> Picture:
    """Draw the effect of a knock-out gene by gene; the genes that move most are named."""
    true, predicted = effects["true"], effects.drop(columns="true")
    says = f"{name}, Pearson delta {score:.3f} of {predicted.columns[0]}."
    return _against_truth(true, predicted, f"effect of {name}, {UNIT}", says)


def strength(scores: pd.DataFrame) -> Picture:
    """Draw how long the predicted effects are."""
    predicted = _by_contender(scores, "predicted_length")
    true = _by_contender(scores, "true_length").iloc[:, 0]
    first = predicted.iloc[:, 0]
    says = (
        f"In the median, {first.name} predicts {(first / true).median():.2f} of the true length; "
        f"rank correlation {first.corr(true, 'spearman'):+.2f}. MMD sees length, Pearson does not."
    )
    return _against_truth(true, predicted, f"length of the effects, {UNIT}", says)


def shares(scores: pd.DataFrame, proportions: pd.DataFrame, program: str) -> Picture:
    """Draw the shares of a program."""
    predicted = _by_contender(scores, program)
    true = proportions.loc[predicted.index, program]
    means = predicted.sub(true, axis=0).abs().mean()
    says = (
        f"{program}: mean error {means.iloc[0]:.4f} for {means.index[0]}, smallest "
        f"{means.min():.4f} ({means.idxmin()}); the true shares spread by {true.std():.3f}."
    )
    return _against_truth(true, predicted, f"share of {program}", says)


def cells(name: str, cells: pd.DataFrame, score: float) -> Picture:
    """Draw true and predicted cells side by side, coloured by program."""
    groups = [(str(of), rows) for of, rows in cells.groupby("of", sort=False)]

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(groups), sharex=True, sharey=True)
        for ax, (of, rows) in zip(panels, groups, strict=True):
            for number, program in enumerate(PROGRAMS):
                here = rows[rows["program"] == program]
                ax.scatter(here["x"], here["y"], 6, color=f"C{number}", label=program, lw=0)
            ax.set_title(short(of), fontsize=8)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=3)

    says = (
        f"{name}, MMD {score:.4f}, on the first two components of the true cells. A cell has the "
        "colour of the nearest program's mean control cell."
    )
    return Picture(draw, f"True and predicted cells of {name}", says, (1.4 * len(groups), 2))


def own_transcript(scores: pd.DataFrame) -> str:
    """Pearson delta of every contender with and without the target's own transcript."""
    columns = {"pearson_delta": "all genes", "pearson_without_own": "without the target's own"}
    means = scores.groupby("contender", observed=True)[list(columns)].mean().rename(columns=columns)
    return table(means, "Pearson delta, with and without the target's own transcript")
