"""Pictures of what was predicted beside what was measured, every contender in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluation.report.figures import (
    NARROW,
    legend_below,
    name_points,
    picture,
    plain_log,
    short,
)
from evaluation.report.page import table
from perturbation.competition import PROGRAMS

N_NAMED = 10
NO_LENGTH = 1e-3
"""Shorter predicted effects have no place on a logarithmic axis."""
UNIT = "log2(1 + counts per 100,000)"


def predicted_and_true(
    true: pd.Series,
    predicted: pd.DataFrame,
    named: Iterable[str],
    what: str,
    says: str,
    *,
    log: bool = False,
) -> str:
    """Draw predicted against true numbers, a colour a contender; right would be the dashed line."""

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ends = [true.min(), true.max()]
        ax.plot(ends, ends, color="C7", lw=1, ls="--")
        for number, name in enumerate(predicted):
            points = ax.scatter(true, predicted[name], 8 if number else 11, label=name, lw=0)
            points.set(color=f"C{number % 7}", alpha=0.7, zorder=3 - number / 9, rasterized=True)
        ax.set(xlabel=f"true {what}", ylabel="predicted")
        if log:
            plain_log(ax)
        legend_below(figure, ax)
        name_points(figure, ax, true, predicted.iloc[:, 0], named)

    return picture(draw, f"Predicted against true {what}", says, (4.2, 4.1))


def effect(name: str, effects: pd.DataFrame, score: float) -> str:
    """Draw the effect of a knock-out gene by gene; the genes that move most are named."""
    true, predicted = effects["true"], effects.drop(columns="true")
    moved = true.abs().nlargest(N_NAMED).index
    right = int((np.sign(true[moved]) == np.sign(predicted.iloc[:, 0][moved])).sum())
    says = (
        f"{name}, Pearson delta {score:.3f}. Of the {len(moved)} genes that move most, "
        f"{predicted.columns[0]} has {right} on the right side of zero."
    )
    return predicted_and_true(true, predicted, moved, f"effect of {name}, {UNIT}", says)


def strength(scores: pd.DataFrame) -> str:
    """Draw how long the predicted effects are."""
    lengths = scores.groupby(["perturbation", "contender"], observed=True)[
        ["true_length", "predicted_length"]
    ].mean()
    predicted = lengths["predicted_length"].unstack()
    true, first = lengths["true_length"].groupby(level=0).mean(), predicted.iloc[:, 0]
    says = (
        f"Length of the effect against the perturbed centroid, {UNIT}. In the median, "
        f"{predicted.columns[0]} predicts {(first / true).median():.2f} of the true length; rank "
        f"correlation {first.corr(true, 'spearman'):+.2f}. Pearson delta does not see length; MMD "
        "does."
    )
    named, shown = true.nlargest(N_NAMED).index, predicted.where(predicted > NO_LENGTH)
    return predicted_and_true(true, shown, named, "length of the effects", says, log=True)


def shares(scores: pd.DataFrame, proportions: pd.DataFrame, program: str) -> str:
    """Draw the shares of a program."""
    predicted = scores.groupby(["perturbation", "contender"], observed=True)[program].mean()
    of_each = predicted.unstack()
    true = proportions.loc[of_each.index, program]
    errors = of_each.sub(true, axis=0).abs()
    means = errors.mean()
    says = (
        f"{program}: mean error {means.iloc[0]:.4f} for {means.index[0]}, smallest "
        f"{means.min():.4f} ({means.idxmin()}); the true shares spread by {true.std():.3f}."
    )
    named = errors.iloc[:, 0].nlargest(N_NAMED).index
    return predicted_and_true(true, of_each, named, f"share of {program}", says)


def cells(name: str, cells: pd.DataFrame, names: Sequence[str], score: float) -> str:
    """Draw true and predicted cells side by side, coloured by program."""
    groups = {of: cells[cells["of"] == of] for of in names}
    n_rows = -(-len(groups) // 3)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(n_rows, 3, sharex=True, sharey=True, squeeze=False)
        for ax in panels.flat[len(groups) :]:
            ax.remove()
        for ax, (of, rows) in zip(panels.flat, groups.items(), strict=False):
            for number, program in enumerate(PROGRAMS):
                here = rows[rows["program"] == program]
                ax.scatter(here["x"], here["y"], 6, color=f"C{number}", label=program, lw=0)
            ax.set_title(short(of), fontsize=8)
        legend_below(figure, panels[0, 0], 3)

    told = "; ".join(
        f"{of} " + ", ".join(f"{(rows['program'] == p).mean():.0%} {p}" for p in PROGRAMS)
        for of, rows in list(groups.items())[:2]
    )
    says = (
        f"{name}, MMD {score:.4f}, on the first two components of the true cells. A cell has the "
        f"colour of the nearest program's mean control cell: {told}."
    )
    size = NARROW[0], 1.5 * n_rows + 0.5
    return picture(draw, f"True and predicted cells of {name}", says, size)


def own_transcript(scores: pd.DataFrame) -> str:
    """Pearson delta of every contender with and without the target's own transcript."""
    columns = {"pearson_delta": "all genes", "pearson_without_own": "without the target's own"}
    means = scores.groupby("contender", observed=True)[list(columns)].mean().rename(columns=columns)
    with_own, without = means.iloc[0]
    says = (
        f"Pearson delta. Without the target's own transcript {means.index[0]} scores {without:.4f} "
        f"in place of {with_own:.4f}: on these panels {with_own - without:+.4f} comes from it."
    )
    return table(means, says)
