"""Pictures of what was predicted beside what was measured, every contender in each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluation.report.figures import N_NAMED, NARROW, UNIT, Picture, scatter, short
from evaluation.report.page import table
from perturbation.competition import PROGRAMS

NO_LENGTH = 1e-3
"""Shorter predicted effects have no place on a logarithmic axis."""


def _against_truth(
    true: pd.Series, predicted: pd.DataFrame, what: str, says: str, *, log: bool = False
) -> Picture:
    ends = [true.min(), true.max()]
    right = pd.Series(ends, ends, name="right")
    return scatter(true, predicted, f"true {what}", "predicted", says, line=right, log=log)


def _by_contender(scores: pd.DataFrame, column: str) -> pd.DataFrame:
    """(n_knockouts, n_contenders) means over repeats and panels."""
    return scores.pivot_table(column, "perturbation", "contender", observed=True)


def effect(name: str, effects: pd.DataFrame, score: float) -> Picture:
    """Draw the effect of a knock-out gene by gene; the genes that move most are named."""
    true, predicted = effects["true"], effects.drop(columns="true")
    moved = true.abs().nlargest(N_NAMED).index
    right = int((np.sign(true[moved]) == np.sign(predicted.iloc[:, 0][moved])).sum())
    says = (
        f"{name}, Pearson delta {score:.3f}. Of the {len(moved)} genes that move most, "
        f"{predicted.columns[0]} has {right} on the right side of zero."
    )
    return _against_truth(true, predicted, f"effect of {name}, {UNIT}", says)


def strength(scores: pd.DataFrame) -> Picture:
    """Draw how long the predicted effects are."""
    predicted = _by_contender(scores, "predicted_length")
    true = _by_contender(scores, "true_length").iloc[:, 0]
    first = predicted.iloc[:, 0]
    says = (
        f"Length of the effect against the perturbed centroid, {UNIT}. In the median, "
        f"{first.name} predicts {(first / true).median():.2f} of the true length; rank "
        f"correlation {first.corr(true, 'spearman'):+.2f}. Pearson delta does not see length; MMD "
        "does."
    )
    shown = predicted.where(predicted > NO_LENGTH)
    return _against_truth(true, shown, "length of the effects", says, log=True)


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
    n_rows = -(-len(groups) // 3)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(n_rows, 3, sharex=True, sharey=True, squeeze=False).flat
        for ax in panels[len(groups) :]:
            ax.remove()
        for ax, (of, rows) in zip(panels, groups, strict=False):
            for number, program in enumerate(PROGRAMS):
                here = rows[rows["program"] == program]
                ax.scatter(here["x"], here["y"], 6, color=f"C{number}", label=program, lw=0)
            ax.set_title(short(of), fontsize=8)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=3)

    told = [
        f"{of} " + ", ".join(f"{(rows['program'] == p).mean():.0%} {p}" for p in PROGRAMS)
        for of, rows in groups
    ]
    says = (
        f"{name}, MMD {score:.4f}, on the first two components of the true cells. A cell has the "
        f"colour of the nearest program's mean control cell: {told[0]}; {told[1]}."
    )
    size = NARROW[0], 1.5 * n_rows + 0.5
    return Picture(draw, f"True and predicted cells of {name}", says, size)


def own_transcript(scores: pd.DataFrame) -> str:
    """Pearson delta of every contender with and without the target's own transcript."""
    columns = {"pearson_delta": "all genes", "pearson_without_own": "without the target's own"}
    means = scores.groupby("contender", observed=True)[list(columns)].mean().rename(columns=columns)
    gain = means["all genes"].iloc[0] - means["without the target's own"].iloc[0]
    says = (
        f"Pearson delta: {gain:+.4f} of {means.index[0]}'s comes from the target's own transcript"
    )
    return table(means, says)
