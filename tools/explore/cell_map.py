"""A map of the sample of cells in several colourings, each with one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.reading import did_you_mean
from evaluation.report.figures import UNIT, Picture
from perturbation.competition import CONTROL_LABEL, PROGRAMS
from perturbation.data.dataset import Dataset
from perturbation.errors import InputError
from tools.explore.look import POOL, Look
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


def cell_maps(look: Look, named: Sequence[str], seed: int) -> list[Picture]:
    """Draw programs, pools, control against knocked out, and what the user names."""
    shown = slice(None, None, -(-len(look.panel) // N_CELLS))
    cells, obs = Map(look.panel[shown], "cells", seed), look.sample.iloc[shown]
    programs = obs[list(PROGRAMS)].idxmax(axis=1).where(obs["lipo"] == 0, "lipo")
    labels = obs["gene"].astype(str)
    colourings = {
        "program": programs,
        **({"pool": obs[POOL]} if POOL in obs else {}),
        "control or knocked out": np.where(labels == CONTROL_LABEL, "control", "knocked out"),
        **{
            f"knock-out {name}": np.where(labels == name, name, "other cells")
            for name in named
            if name in look.strengths.index
        },
    }
    drawn = [cells.groups(np.asarray(of, str), label) for label, of in colourings.items()]
    for name in set(named) & set(look.summary.training.genes):
        column = look.summary.training.genes.tolist().index(name)
        values = look.summary.cells[shown, [column]].toarray()[:, 0]
        says = f"Expression of {name}, seen in {np.mean(values > 0):.0%} of the cells"
        drawn.append(cells.numbers(values, f"expression of {name}, {UNIT}", says))
    return drawn
