"""A map of the sample of cells in several colourings, each with one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evaluation.reading import did_you_mean
from perturbation.competition import CONTROL_LABEL, PROGRAMS
from perturbation.data.dataset import Dataset
from perturbation.errors import InputError
from tools.explore.look import POOL, UNIT, Look
from tools.maps import Map

N_CELLS = 5000


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
    cells = Map(look.panel[shown], "cells", seed)
    flags = look.summary.cell_programs.iloc[shown]
    programs = flags[list(PROGRAMS)].idxmax(axis=1).where(flags["lipo"] == 0, "lipo")
    drawn = [cells.groups(programs.to_numpy(str), "program")]
    if POOL in look.obs:
        drawn.append(cells.groups(look.obs[POOL].to_numpy(str)[shown], "pool"))
    labels = look.summary.cell_labels[shown]
    kinds = np.where(labels == CONTROL_LABEL, "control", "knocked out")
    drawn.append(cells.groups(kinds, "control or knocked out", "control"))
    genes = pd.Index(look.summary.training.genes)
    for name in named:
        if name in look.strengths.index:
            groups = np.where(labels == name, name, "other cells")
            drawn.append(cells.groups(groups, f"knock-out {name}", name))
        if name in genes:
            values = look.summary.cells[:, [genes.get_loc(name)]].toarray()[shown, 0]
            says = f"Expression of {name}, seen in {np.mean(values > 0):.0%} of the cells"
            drawn.append(cells.numbers(values, f"expression of {name}, {UNIT}", says))
    return drawn
