"""Pictures of cells, effects and shares, each with one sentence computed from the data."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage

from evaluation.report.figures import ROW, UNIT, Picture, heat, scatter
from evaluation.report.words import rank_correlation
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS, PROGRAMS
from tools.explore.look import POOL, Look
from tools.maps import Map

N_MAP_CELLS = 5000
N_HEAT_GENES = 40
N_AXIS_GENES = 8


def cell_maps(look: Look, named: Sequence[str], seed: int) -> list[Picture]:
    """Draw programs, pools, control against knocked out, and what the user names."""
    shown = slice(None, None, -(-len(look.panel) // N_MAP_CELLS))
    cells, obs = Map(look.panel[shown], "cells", seed), look.sample.iloc[shown]
    flags, labels = look.summary.cell_programs.iloc[shown], look.summary.cell_labels[shown]
    programs = flags[list(PROGRAMS)].idxmax(axis=1).where(flags["lipo"] == 0, "lipo")
    genes = look.summary.training.genes.tolist()
    kinds = np.where(labels == CONTROL_LABEL, "control", "knocked out")
    drawn = [cells.groups(programs, "program"), cells.groups(kinds, "control or knocked out")]
    if POOL in obs:
        drawn.append(cells.groups(obs[POOL], "pool"))
    for name in named:
        if name in look.strengths.index:
            which = np.where(labels == name, name, "other cells")
            drawn.append(cells.groups(which, f"knock-out {name}"))
        if name in genes:
            values = look.summary.cells[shown, [genes.index(name)]].toarray()[:, 0]
            says = f"Expression of {name}, seen in {np.mean(values > 0):.0%} of the cells"
            drawn.append(cells.numbers(values, f"expression of {name}, {UNIT}", says))
    return drawn


def strength_and_chance(look: Look) -> Picture:
    """Draw effect sizes beside what the number of cells gives by chance."""
    n, strength, chance = (look.strengths[name] for name in ("n_cells", "strength", "chance"))
    ratio = (strength / chance).sort_values(ascending=False)
    by_chance = chance.set_axis(n).sort_index().to_frame("by chance")
    says = (
        f"{(ratio < 1.25).sum()} of {len(ratio)} knock-outs lie less than 1.25 times as far from "
        "the control as their number of cells gives by chance. Strongest beside chance: "
        f"{', '.join(f'{name} ({times:.1f} times)' for name, times in ratio.head(3).items())}."
    )
    ylabel = f"length of the effect\n{UNIT}"
    drawn = strength.to_frame("knock-outs")
    return scatter(n, drawn, "cells", ylabel, says, lines=by_chance)


def strength_and_expression(look: Look) -> Picture | str:
    """Draw effect sizes, chance taken off, against the expression of the target."""
    table = look.strengths.dropna(subset="expression")
    if len(table) < 3:
        return ""
    excess = (table["strength"] ** 2 - table["chance"] ** 2).clip(lower=0) ** 0.5
    rho, p = rank_correlation(table["expression"], excess)
    says = (
        f"Over {len(table)} measured targets the rank correlation of the effect with the target's "
        f"expression is {rho:+.2f} (p {p:.2g})."
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

    says = (
        f"The {effects.shape[1]} genes that differ most between knock-outs, above all "
        f"{effects.abs().max().idxmax()}; a target's own transcript is left out."
    )
    size = ROW * effects.shape[1] + 1.2, ROW * len(effects) + 1.8
    return Picture(draw, "Heat map of knock-outs by genes", says, size)


def shares(look: Look, program: str) -> Picture:
    """Draw the share of a program in every knock-out beside the control's, and counting noise."""
    table, n_cells = look.summary.training.proportions[program], look.strengths["n_cells"]
    control, values = table[CONTROL_LABEL], table[n_cells.index]
    half = 2 * np.sqrt(control * (1 - control) / n_cells)
    noise = pd.DataFrame({"control + 2 s.e.": control + half, "control - 2 s.e.": control - half})
    says = (
        f"{program}: {control:.3f} in the control. {((values - control).abs() > half).sum()} of "
        f"{len(values)} knock-outs lie further from it than two standard errors of counting, from "
        f"{values.min():.3f} ({values.idxmin()}) to {values.max():.3f} ({values.idxmax()})."
    )
    drawn, lines = values.to_frame("knock-outs"), noise.set_axis(n_cells).sort_index()
    return scatter(n_cells, drawn, "cells", f"share of {program}", says, lines=lines)


def axis_table(look: Look) -> pd.DataFrame:
    """Genes with the largest weights on each axis, and how it goes with shares of programs."""
    names = [f"axis {number + 1}" for number in range(look.axes.n_components_)]
    scores = pd.DataFrame(look.axes.transform(look.effects), look.effects.index, names)
    both = scores.join(look.summary.training.proportions[list(PROGRAM_FLAGS)])
    table = both.corr("spearman").loc[names, list(PROGRAM_FLAGS)]
    table.insert(0, "share of variance", look.axes.explained_variance_ratio_)
    order = look.effects.columns.to_numpy()[np.argsort(look.axes.components_, axis=1)]
    table["genes that rise along it"] = [", ".join(genes[-N_AXIS_GENES:]) for genes in order]
    table["genes that fall"] = [", ".join(genes[:N_AXIS_GENES]) for genes in order]
    return table
