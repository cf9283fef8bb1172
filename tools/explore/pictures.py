"""Pictures of the effects, shares and depths, each with one sentence computed from the data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage

from evaluation.report.figures import ROW, name_points, picture, plain_log
from evaluation.report.words import goes_with, rank_correlation
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.names import listed
from tools.explore.look import DEPTH, POOL, UNIT, Look

N_NAMED = 12
N_HEAT_GENES = 40
N_AXIS_GENES = 8
STANDARD_ERRORS = 3.0


def cells_of_knockouts(look: Look) -> str:
    """Draw how many cells each knock-out has."""
    n = look.strengths["n_cells"].sort_values(ascending=False)

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.bar(range(len(n)), n, width=1, color="C0")
        ax.set(xlabel="knock-outs, most cells first", ylabel="cells")

    says = (
        f"From {n.iloc[-1]:,} cells ({n.index[-1]}) to {n.iloc[0]:,} ({n.index[0]}), half of the "
        f"knock-outs below {n.median():,.0f}; {look.summary.training.n_control_cells:,} are "
        "controls."
    )
    return picture(draw, "Cells of each knock-out", says)


def depth_of_pools(look: Look) -> str:
    """Draw the counts of a cell, pool by pool."""
    if not {POOL, DEPTH} <= set(look.obs):
        return ""
    groups = {
        str(pool): d.to_numpy(float) for pool, d in look.obs.groupby(POOL, observed=True)[DEPTH]
    }
    medians = pd.Series({pool: np.median(depths) for pool, depths in groups.items()})

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        style = {"showfliers": False, "medianprops": {"color": "C1"}, "orientation": "horizontal"}
        ax.boxplot(list(groups.values()), tick_labels=list(groups), **style)
        ax.set(xlabel="counts of a cell (box: middle half)")
        ax.locator_params(axis="x", nbins=5)
        ax.xaxis.set_major_formatter("{x:,.0f}")

    says = (
        f"The median depth of a pool goes from {medians.min():,.0f} ({medians.idxmin()}) to "
        f"{medians.max():,.0f} counts ({medians.idxmax()})."
    )
    height = max(2.2, ROW * 1.6 * len(groups) + 0.8)
    return picture(draw, "Depth of the cells of each pool", says, (4.2, height))


def strength_and_chance(look: Look) -> str:
    """Draw effect sizes beside what the number of cells gives by chance."""
    table = look.strengths
    ratio = (table["strength"] / table["chance"]).sort_values(ascending=False)
    n, strength = table["n_cells"].to_numpy(), table["strength"].to_numpy()

    def draw(figure: Figure) -> None:
        ax, order = figure.subplots(), np.argsort(n)
        ax.plot(n[order], table["chance"].to_numpy()[order], color="C1", label="by chance")
        ax.scatter(n, strength, 14, color="C0", label="knock-outs")
        ax.set(xlabel="cells", ylabel=f"length of the effect\n{UNIT}")
        plain_log(ax)
        ax.legend()
        name_points(ax, n, strength, list(table.index), np.argsort(-strength)[:N_NAMED])

    near = int((ratio < 1.25).sum())
    says = (
        f"{near} of {len(table)} knock-outs lie less than 1.25 times as far from the control as "
        f"their number of cells gives by chance. Strongest beside chance: "
        f"{', '.join(f'{name} ({times:.1f} times)' for name, times in ratio.head(3).items())}."
    )
    return picture(draw, "Effect size against number of cells", says)


def strength_and_expression(look: Look) -> str:
    """Draw effect sizes, chance taken off, against the expression of the target."""
    table = look.strengths.dropna(subset="expression")
    if len(table) < 3:
        return ""
    excess = np.sqrt((table["strength"] ** 2 - table["chance"] ** 2).clip(lower=0)).to_numpy()
    expression = table["expression"].to_numpy()

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.scatter(expression, excess, 14, color="C0")
        ax.set(
            xlabel=f"target in control cells, {UNIT}", ylabel="length of the effect\nbeyond chance"
        )
        name_points(ax, expression, excess, list(table.index), np.argsort(-excess)[:N_NAMED])

    rho, p = rank_correlation(expression, excess)
    says = (
        f"The effect {goes_with(p)} how much the target is expressed: rank correlation "
        f"{rho:+.2f}, p {p:.2g}, over {len(table)} measured targets."
    )
    return picture(draw, "Effect size against expression of the target", says)


def clustered_effects(look: Look) -> pd.DataFrame:
    """Effects on the genes that differ most between knock-outs, like ones side by side."""
    effects = look.effects[look.effects.var().nlargest(N_HEAT_GENES).index]
    rows, columns = (
        leaves_list(linkage(values, "ward", optimal_ordering=True))
        for values in (effects, effects.T)
    )
    return effects.iloc[rows, columns]


def draw_heat(effects: pd.DataFrame) -> Callable[[Figure], None]:
    """Effects as colours, knock-outs by genes."""
    limit = float(np.quantile(np.abs(effects), 0.99)) or 1.0

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        image = ax.imshow(effects, vmin=-limit, vmax=limit, aspect="auto", interpolation="none")
        ax.set_xticks(range(effects.shape[1]), effects.columns, rotation=90)
        ax.set_yticks(range(len(effects)), effects.index)
        ax.grid(visible=False)
        figure.colorbar(image, location="top", label=f"minus control, {UNIT}", aspect=40, pad=0.01)

    return draw


def heat_map(look: Look) -> str:
    """Draw knock-outs by genes, both clustered."""
    effects = clustered_effects(look)
    likeness = np.corrcoef(effects)
    np.fill_diagonal(likeness, -1)
    a, b = np.unravel_index(np.argmax(likeness), likeness.shape)
    says = (
        f"The {effects.shape[1]} genes that differ most between knock-outs; a target's own "
        f"transcript is left out. Most alike here: {effects.index[a]} and {effects.index[b]} "
        f"(correlation {likeness[a, b]:.2f}). The gene that moves most is "
        f"{effects.abs().max().idxmax()}."
    )
    return picture(draw_heat(effects), "Heat map of knock-outs by genes", says, heat_size(effects))


def heat_size(effects: pd.DataFrame) -> tuple[float, float]:
    """Inches in which every name can be read."""
    return ROW * effects.shape[1] + 1.2, ROW * len(effects) + 1.8


def shares(look: Look, program: str) -> str:
    """Draw the share of a program in every knock-out, with binomial noise, beside the control's."""
    table = look.summary.training.proportions[program]
    control, values = table[CONTROL_LABEL], table.drop(index=CONTROL_LABEL).sort_values()
    n = look.strengths["n_cells"][values.index]
    error = np.sqrt(values * (1 - values) / n)
    of_control = np.sqrt(control * (1 - control) / look.summary.training.n_control_cells)
    noise = np.sqrt(control * (1 - control) * (1 / n + 1 / look.summary.training.n_control_cells))
    z = ((values - control) / noise.where(noise > 0, np.inf)).to_numpy()
    x, y = np.arange(len(values)), values.to_numpy()

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.axhspan(control - 2 * of_control, control + 2 * of_control, color="C1", alpha=0.35, lw=0)
        ax.axhline(control, color="C1", label="control")
        ax.errorbar(x, y, error, fmt="o", ms=3, lw=0.8, color="C0", label="knock-outs ± s.e.")
        ax.set(xlabel="knock-outs in order", ylabel=f"share of {program}", xticks=[])
        ax.legend(loc="upper left")
        name_points(ax, x, y, list(values.index), np.argsort(-np.abs(z))[: N_NAMED // 2])

    far = np.abs(z) > STANDARD_ERRORS
    spread, chance = np.std(y), float(np.sqrt((error**2).mean()))
    says = (
        f"{program}: {far.sum()} of {len(y)} knock-outs differ from the control's {control:.3f} "
        f"by over three standard errors; they spread by {spread:.3f}, counting alone gives "
        f"{chance:.3f}."
    )
    return picture(draw, f"Share of {program} in every knock-out", says)


def axes_map(look: Look) -> str:
    """Draw the knock-outs on the first two axes of their effects."""
    x, y = look.axes.iloc[:, :2].to_numpy().T

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.axhline(0, lw=0.6, color="C7")
        ax.axvline(0, lw=0.6, color="C7")
        ax.scatter(x, y, 14, color="C0")
        ax.set(
            xlabel=f"axis 1, {look.axis_shares[0]:.0%}", ylabel=f"axis 2, {look.axis_shares[1]:.0%}"
        )
        name_points(ax, x, y, list(look.axes.index), np.argsort(-np.hypot(x, y))[:N_NAMED])

    says = (
        f"The first axis holds {look.axis_shares[0]:.0%} of the variance of the effects, the first "
        f"{len(look.axis_shares)} hold {look.axis_shares.sum():.0%}; furthest along it: "
        f"{listed(list(look.axes['axis 1'].abs().nlargest(3).index))}."
    )
    return picture(draw, "Knock-outs on the first two axes of their effects", says)


def axes_and_programs(look: Look) -> str:
    """Draw how the axes go with the shares of the programs."""
    proportions = look.summary.training.proportions.loc[look.axes.index, list(PROGRAM_FLAGS)]
    both = pd.concat([look.axes, proportions], axis=1).corr("spearman").fillna(0)
    table = both.loc[look.axes.columns, list(PROGRAM_FLAGS)]

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.imshow(table, vmin=-1, vmax=1, aspect="auto")
        ax.set_xticks(range(len(PROGRAM_FLAGS)), PROGRAM_FLAGS)
        ax.set_yticks(range(len(table)), table.index)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        plain = {"ha": "center", "va": "center"}
        for (i, j), value in np.ndenumerate(table.to_numpy()):
            strong = {"color": "#ffffff"} if abs(value) > 0.6 else {}
            ax.text(j, i, f"{value:+.2f}", **plain, **strong)

    axis, program = table.abs().stack().idxmax()
    says = (
        f"Rank correlation of axes and shares over knock-outs: {axis} goes with {program} most "
        f"({table.loc[axis, program]:+.2f})."
    )
    return picture(draw, "Rank correlation of axes with program shares", says, (4.2, 2.6))


def axis_genes(look: Look) -> pd.DataFrame:
    """Return the genes with the largest weights on each axis: columns rise, fall."""
    rows = {
        f"{name}, {share:.0%}": [
            ", ".join(weights.nlargest(N_AXIS_GENES).index),
            ", ".join(weights.nsmallest(N_AXIS_GENES).index),
        ]
        for (name, weights), share in zip(look.axis_genes.iterrows(), look.axis_shares, strict=True)
    }
    columns = ["genes that rise along it", "genes that fall"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
