"""Pictures of the effects, shares and depths, each with one sentence computed from the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage

from evaluation.report.figures import (
    ROW,
    Draw,
    draw_named,
    heat,
    legend_below,
    name_points,
    picture,
)
from evaluation.report.words import SIGNIFICANT, rank_correlation
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.names import listed
from tools.explore.look import UNIT, Look

N_NAMED = 12
N_HEAT_GENES = 40
N_AXIS_GENES = 8
STANDARD_ERRORS = 3.0


def depth_of_pools(look: Look) -> str:
    """Draw the middle 90 percent of the counts of a cell, pool by pool."""
    if look.depths.empty:
        return ""
    low, middle, high = (look.depths.groupby(level=0).quantile(q) for q in (0.05, 0.5, 0.95))

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.hlines(middle.index, low, high, color="C0")
        ax.plot(middle, middle.index, "o", color="C0")
        ax.set_xlabel("counts of a cell, median and middle 90 percent")
        ax.margins(y=0.5 / len(middle))

    says = (
        f"The median depth of a pool goes from {middle.min():,.0f} ({middle.idxmin()}) to "
        f"{middle.max():,.0f} counts ({middle.idxmax()})."
    )
    height = max(2.2, ROW * 1.6 * len(middle) + 0.8)
    return picture(draw, "Depth of the cells of each pool", says, (4.2, height))


def strength_and_chance(look: Look) -> str:
    """Draw effect sizes beside what the number of cells gives by chance."""
    n, strength, chance = (look.strengths[name] for name in ("n_cells", "strength", "chance"))
    ratio = (strength / chance).sort_values(ascending=False)
    by_chance = chance.set_axis(n).sort_index().rename("by chance")
    named = strength.nlargest(N_NAMED).index
    says = (
        f"{(ratio < 1.25).sum()} of {len(ratio)} knock-outs lie less than 1.25 times as far from "
        "the control as their number of cells gives by chance. Strongest beside chance: "
        f"{', '.join(f'{name} ({times:.1f} times)' for name, times in ratio.head(3).items())}."
    )
    ylabel = f"length of the effect\n{UNIT}"
    draw = draw_named(n, strength, named, "cells", ylabel, line=by_chance, log=True)
    return picture(draw, "Effect size against number of cells", says)


def strength_and_expression(look: Look) -> str:
    """Draw effect sizes, chance taken off, against the expression of the target."""
    table = look.strengths.dropna(subset="expression")
    if len(table) < 3:
        return ""
    excess = (table["strength"] ** 2 - table["chance"] ** 2).clip(lower=0) ** 0.5
    rho, p = rank_correlation(table["expression"].to_numpy(), excess.to_numpy())
    verb = "goes with" if p < SIGNIFICANT else "cannot be told to go with"
    says = (
        f"The effect {verb} how much the target is expressed: rank correlation "
        f"{rho:+.2f}, p {p:.2g}, over {len(table)} measured targets."
    )
    named = excess.nlargest(N_NAMED).index
    xlabel, ylabel = f"target in control cells, {UNIT}", "length of the effect\nbeyond chance"
    draw = draw_named(table["expression"], excess, named, xlabel, ylabel)
    return picture(draw, "Effect size against expression of the target", says)


def clustered_effects(look: Look) -> pd.DataFrame:
    """Effects on the genes that differ most between knock-outs, like ones side by side."""
    effects = look.effects[look.effects.var().nlargest(N_HEAT_GENES).index]
    rows, columns = (
        leaves_list(linkage(values, "ward", optimal_ordering=True))
        for values in (effects, effects.T)
    )
    return effects.iloc[rows, columns]


def draw_effects(effects: pd.DataFrame) -> Draw:
    """Effects as colours, knock-outs by genes."""
    limit = float(np.quantile(np.abs(effects), 0.99)) or 1.0

    def draw(figure: Figure) -> None:
        image = heat(figure.subplots(), effects, vmin=-limit, vmax=limit)
        figure.colorbar(image, location="top", label=f"minus control, {UNIT}", aspect=40, pad=0.01)

    return draw


def heat_map(look: Look) -> str:
    """Draw knock-outs by genes, both clustered."""
    effects = clustered_effects(look)
    likeness = np.corrcoef(effects) - 2 * np.eye(len(effects))
    a, b = divmod(int(np.argmax(likeness)), len(effects))
    says = (
        f"The {effects.shape[1]} genes that differ most between knock-outs; a target's own "
        f"transcript is left out. Most alike here: {effects.index[a]} and {effects.index[b]} "
        f"(correlation {likeness[a, b]:.2f}). The gene that moves most is "
        f"{effects.abs().max().idxmax()}."
    )
    draw, size = draw_effects(effects), heat_size(effects)
    return picture(draw, "Heat map of knock-outs by genes", says, size)


def heat_size(effects: pd.DataFrame) -> tuple[float, float]:
    """Inches in which every name can be read."""
    return ROW * effects.shape[1] + 1.2, ROW * len(effects) + 1.8


def shares(look: Look, program: str) -> str:
    """Draw the share of a program in every knock-out, with binomial noise, beside the control's."""
    table = look.summary.training.proportions[program]
    control, values = table[CONTROL_LABEL], table.drop(index=CONTROL_LABEL).sort_values()
    n, n_control = look.strengths["n_cells"][values.index], look.summary.training.n_control_cells
    error, of_control = np.sqrt(values * (1 - values) / n), control * (1 - control)
    z = (values - control) / np.sqrt(of_control * (1 / n + 1 / n_control)).clip(lower=1e-9)
    x = pd.Series(range(len(values)), values.index)

    def draw(figure: Figure) -> None:
        ax, half = figure.subplots(), 2 * np.sqrt(of_control / n_control)
        ax.axhspan(control - half, control + half, color="C1", alpha=0.35, lw=0)
        ax.axhline(control, color="C1", label="control ± 2 s.e.")
        ax.errorbar(x, values, error, fmt="o", ms=3, lw=0.8, color="C0", label="knock-outs ± s.e.")
        ax.set(xlabel="knock-outs in order", ylabel=f"share of {program}", xticks=[])
        legend_below(figure, ax)
        name_points(figure, ax, x, values, z.abs().nlargest(N_NAMED // 2).index)

    says = (
        f"{program}: {(z.abs() > STANDARD_ERRORS).sum()} of {len(z)} knock-outs differ from the "
        f"control's {control:.3f} by over three standard errors; they spread by "
        f"{values.std(ddof=0):.3f}, counting alone gives {np.sqrt((error**2).mean()):.3f}."
    )
    return picture(draw, f"Share of {program} in every knock-out", says)


def axes_map(look: Look) -> str:
    """Draw the knock-outs on the first two axes of their effects."""
    (x, y), shares = (look.axes.scores.iloc[:, i] for i in range(2)), look.axes.shares
    furthest = listed(list(x.abs().nlargest(3).index))
    says = (
        f"The first axis holds {shares[0]:.0%} of the variance of the effects, the first "
        f"{len(shares)} hold {shares.sum():.0%}; furthest along it: {furthest}."
    )
    labels = (f"axis {number + 1}, {share:.0%}" for number, share in enumerate(shares[:2]))
    draw = draw_named(x, y, (x**2 + y**2).nlargest(N_NAMED).index, *labels)
    return picture(draw, "Knock-outs on the first two axes of their effects", says)


def axis_table(look: Look) -> pd.DataFrame:
    """Genes with the largest weights on each axis, and how it goes with shares of programs."""
    axes, flags = look.axes, list(PROGRAM_FLAGS)
    both = axes.scores.join(look.summary.training.proportions[flags])
    table = both.corr("spearman").loc[axes.scores.columns, flags]
    for column, sign in (("genes that rise along it", 1), ("genes that fall", -1)):
        most = ((sign * axes.genes.loc[axis]).nlargest(N_AXIS_GENES) for axis in table.index)
        table[column] = [", ".join(of.index) for of in most]
    return table.set_axis([f"{a}, {s:.0%}" for a, s in zip(table.index, axes.shares, strict=True)])
