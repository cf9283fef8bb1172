"""Pictures of the effects and shares, each with one sentence computed from the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage

from evaluation.report.figures import ROW, UNIT, Picture, heat, name_points, scatter
from evaluation.report.words import SIGNIFICANT, rank_correlation
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from tools.explore.look import Look

N_HEAT_GENES = 40
N_AXIS_GENES = 8


def strength_and_chance(look: Look) -> Picture:
    """Draw effect sizes beside what the number of cells gives by chance."""
    n, strength, chance = (look.strengths[name] for name in ("n_cells", "strength", "chance"))
    ratio = (strength / chance).sort_values(ascending=False)
    by_chance = chance.set_axis(n).sort_index().rename("by chance")
    says = (
        f"{(ratio < 1.25).sum()} of {len(ratio)} knock-outs lie less than 1.25 times as far from "
        "the control as their number of cells gives by chance. Strongest beside chance: "
        f"{', '.join(f'{name} ({times:.1f} times)' for name, times in ratio.head(3).items())}."
    )
    ylabel = f"length of the effect\n{UNIT}"
    drawn = strength.to_frame("knock-outs")
    return scatter(n, drawn, "cells", ylabel, says, line=by_chance, log=True)


def strength_and_expression(look: Look) -> Picture | str:
    """Draw effect sizes, chance taken off, against the expression of the target."""
    table = look.strengths.dropna(subset="expression")
    if len(table) < 3:
        return ""
    excess = (table["strength"] ** 2 - table["chance"] ** 2).clip(lower=0) ** 0.5
    rho, p = rank_correlation(table["expression"], excess)
    verb = "goes with" if p < SIGNIFICANT else "cannot be told to go with"
    says = (
        f"The effect {verb} how much the target is expressed: rank correlation "
        f"{rho:+.2f}, p {p:.2g}, over {len(table)} measured targets."
    )
    xlabel, ylabel = f"target in control cells, {UNIT}", "length of the effect beyond chance"
    return scatter(table["expression"], excess.to_frame("knock-outs"), xlabel, ylabel, says)


def heat_map(look: Look) -> Picture:
    """Draw knock-outs by the genes that differ most between them, like ones side by side."""
    effects = look.effects[look.effects.var().nlargest(N_HEAT_GENES).index]
    rows, columns = (
        leaves_list(linkage(values, "ward", optimal_ordering=True))
        for values in (effects, effects.T)
    )
    effects = effects.iloc[rows, columns]
    limit = float(np.quantile(np.abs(effects), 0.99)) or 1.0

    def draw(figure: Figure) -> None:
        image = heat(figure.subplots(), effects, vmin=-limit, vmax=limit)
        figure.colorbar(image, location="top", label=f"minus control, {UNIT}", aspect=40, pad=0.01)

    likeness = np.corrcoef(effects) - 2 * np.eye(len(effects))
    a, b = divmod(int(np.argmax(likeness)), len(effects))
    says = (
        f"The {effects.shape[1]} genes that differ most between knock-outs; a target's own "
        f"transcript is left out. Most alike here: {effects.index[a]} and {effects.index[b]} "
        f"(correlation {likeness[a, b]:.2f}). The gene that moves most is "
        f"{effects.abs().max().idxmax()}."
    )
    size = ROW * effects.shape[1] + 1.2, ROW * len(effects) + 1.8
    return Picture(draw, "Heat map of knock-outs by genes", says, size)


def shares(look: Look, program: str) -> Picture:
    """Draw the share of a program in every knock-out, with binomial noise, beside the control's."""
    table = look.summary.training.proportions[program]
    control, values = table[CONTROL_LABEL], table.drop(index=CONTROL_LABEL).sort_values()
    error = np.sqrt(values * (1 - values) / look.strengths["n_cells"])[values.index]

    def draw(figure: Figure) -> None:
        ax, x = figure.subplots(), pd.Series(range(len(values)), values.index)
        ax.axhline(control, color="C1", label="control")
        ax.errorbar(x, values, error, fmt="o", ms=3, lw=0.8, color="C0", label="knock-outs ± s.e.")
        ax.set(xlabel="knock-outs in order", ylabel=f"share of {program}", xticks=[])
        figure.legend(loc="outside lower left", ncols=2)
        name_points(figure, ax, x, values, n_named=6)

    says = (
        f"{program}: {control:.3f} in the control; knock-outs, from {values.iloc[0]:.3f} "
        f"({values.index[0]}) to {values.iloc[-1]:.3f} ({values.index[-1]}), spread by "
        f"{values.std(ddof=0):.3f}; counting alone gives {np.sqrt((error**2).mean()):.3f}."
    )
    return Picture(draw, f"Share of {program} in every knock-out", says)


def axis_table(look: Look) -> pd.DataFrame:
    """Genes with the largest weights on each axis, and how it goes with shares of programs."""
    axes, flags = look.axes, list(PROGRAM_FLAGS)
    both = axes.scores.join(look.summary.training.proportions[flags])
    table = both.corr("spearman").loc[axes.scores.columns, flags]
    table.insert(0, "share of variance", axes.shares)
    for column, sign in (("genes that rise along it", 1), ("genes that fall", -1)):
        most = ((sign * axes.genes.loc[axis]).nlargest(N_AXIS_GENES) for axis in table.index)
        table[column] = [", ".join(of.index) for of in most]
    return table
