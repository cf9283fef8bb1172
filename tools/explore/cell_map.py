"""A map of the sample of cells in several colourings, each with one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from evaluation.report.figures import picture
from evaluation.report.words import rank_correlation
from perturbation.competition import CONTROL_LABEL, PROGRAMS
from perturbation.data.dataset import Dataset
from perturbation.data.names import did_you_mean
from perturbation.errors import InputError
from tools.explore.look import POOL, UNIT, Look
from tools.maps import MAP_SIZE, draw_groups, draw_values, places

N_CELLS = 5000
DOT = 5


def check_named(named: Sequence[str], dataset: Dataset) -> None:
    """Raise InputError where a name is neither a gene nor a knock-out."""
    known = {*dataset.genes, *dataset.labels}
    for name in named:
        if name not in known:
            raise InputError(
                f"--show {name}: no gene or knock-out of this name.{did_you_mean(name, known)}"
            )


def cell_maps(look: Look, named: Sequence[str], seed: int) -> list[str]:
    """Draw programs, pools, control against knocked out, and what the user names."""
    shown = np.arange(0, len(look.panel), -(-len(look.panel) // N_CELLS))
    at, near = places(look.panel[shown], seed)
    flags = look.summary.cell_programs.iloc[shown]
    programs = flags[list(PROGRAMS)].idxmax(axis=1).where(flags["lipo"] == 0, "lipo")
    labels = look.summary.cell_labels[shown]
    colourings = {"program": programs.to_numpy(str)}
    if POOL in look.obs:
        colourings["pool"] = look.obs[POOL].astype(str).to_numpy()[look.rows[shown]]
    drawn = [
        _by_group(at, near, what, groups, sorted(set(groups)))
        for what, groups in colourings.items()
    ]
    kinds = np.where(labels == CONTROL_LABEL, "control", "knocked out")
    drawn.append(_by_group(at, near, "control or knocked out", kinds, ["knocked out", "control"]))
    genes = pd.Index(look.summary.training.genes)
    for name in named:
        if name in look.strengths.index:
            groups = np.where(labels == name, name, "other cells")
            drawn.append(_by_group(at, near, f"knock-out {name}", groups, ["other cells", name]))
        if name in genes:
            values = look.summary.cells[:, [genes.get_loc(name)]].toarray()[shown, 0]
            drawn.append(_by_value(at, near, f"expression of {name}", values))
    return drawn


def _by_group(
    at: np.ndarray, near: sparse.csr_array, what: str, groups: np.ndarray, order: list[str]
) -> str:
    of_one = len(order) == 2
    same, chance = agreement(near, groups, order[-1:] if of_one else order)
    verdict = "stand apart" if same > max(1.5 * chance, chance + 0.05) else "are mixed"
    whose = f"of the neighbours of cells of {order[-1]}" if of_one else "of a cell's neighbours"
    says = (
        f"Coloured by {what}: {same:.0%} {whose} are of the same group, chance would give "
        f"{chance:.0%}: the groups {verdict}."
    )
    alt = f"Map of {len(at):,} cells coloured by {what}"
    return picture(draw_groups(at, groups, order, DOT), alt, says, MAP_SIZE)


def _by_value(at: np.ndarray, near: sparse.csr_array, what: str, values: np.ndarray) -> str:
    around = near @ values / np.maximum(near.sum(axis=1), 1)
    likeness, _ = rank_correlation(values, around)
    says = (
        f"Coloured by {what}: seen in {np.mean(values > 0):.0%} of the cells; a cell's value "
        f"goes with that of its neighbours by a rank correlation of {likeness:.2f}."
    )
    alt = f"Map of {len(at):,} cells coloured by {what}"
    return picture(draw_values(at, values, UNIT, DOT), alt, says, MAP_SIZE)


def agreement(
    near: sparse.csr_array, groups: np.ndarray, asked: Sequence[str]
) -> tuple[float, float]:
    """Share of neighbours of the same group, over cells of the groups asked, and by chance."""
    rows, columns = near.tocoo().coords
    of_asked = np.isin(groups[rows], asked)
    same = (groups[rows] == groups[columns])[of_asked].mean()
    shares = pd.Series(groups).value_counts(normalize=True)[list(asked)]
    return float(same), float((shares**2).sum() / shares.sum())
