"""What is odd about the data: listed, with names, before anybody models it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.reading import read_names
from perturbation.competition import PERTURBATIONS_FILE
from perturbation.data.names import listed
from perturbation.model.gene_features import GeneFeatures
from tools.explore.look import POOL, Look

LOWERED = 0.9
"""A knock-out is expected to leave less than this of its own transcript."""
STANDARD_ERRORS = 2.0
POOL_FACTOR = 3.0
"""A pool stands apart where its shift, in units of chance, is so many times the median pool's."""
FEW_CELLS = 100
N_NAMED = 12


def oddities(look: Look, gene_features: GeneFeatures, data: Path) -> pd.DataFrame:
    """Return what is odd: columns how many, which; index what."""
    n_cells = look.strengths["n_cells"]
    names, targets = list(n_cells.index), read_names(data / PERTURBATIONS_FILE)
    measured, shifts = set(look.summary.training.genes), pool_shifts(look)
    limit = POOL_FACTOR * max(shifts.median(), 1.0)
    rows = {
        "own transcript is not lowered": own_not_lowered(look),
        "pool stands apart": list(shifts.index[shifts > limit]),
        "knocked-out gene is not measured": [n for n in names if n not in measured],
        "gene to predict the knock-out of is not measured": [
            n for n in targets if n not in measured
        ],
        "gene to predict the knock-out of has training cells": [n for n in targets if n in names],
        "knock-out of which nothing is known": _unknown(names, gene_features),
        "gene to predict of which nothing is known": _unknown(targets, gene_features),
        "two names of one gene": _synonyms([*names, *targets], gene_features),
        f"fewer than {FEW_CELLS} cells": list(n_cells.index[n_cells < FEW_CELLS]),
    }
    told = {what: [len(found), listed(found, N_NAMED) or "none"] for what, found in rows.items()}
    return pd.DataFrame.from_dict(told, "index", columns=["how many", "which"]).rename_axis("what")


def own_not_lowered(look: Look) -> list[str]:
    """Knock-outs whose own transcript is surely above `LOWERED` of the control's.

    The standard error is that of a mean of cells as variable as the sample.
    """
    found, genes = [], pd.Index(look.summary.training.genes)
    n_cells, levels = look.strengths["n_cells"], look.strengths["expression"]
    for name in levels.index[levels > 0]:
        values = look.summary.cells[:, [genes.get_loc(name)]].toarray()
        error = values.std() / np.sqrt(n_cells[name])
        own = look.summary.training.perturbation_centroids.loc[name, name]
        if own - STANDARD_ERRORS * error > LOWERED * levels[name]:
            found.append(name)
    return found


def pool_shifts(look: Look) -> pd.Series:
    """How far each pool's cells lie from their labels' means, in units of what chance gives."""
    if POOL not in look.obs:
        return pd.Series(dtype=float)
    rest = pd.DataFrame(look.rest.astype(np.float64)).groupby(look.obs[POOL].to_numpy(str))
    variance = (look.rest.astype(np.float64) ** 2).sum(axis=1).mean()
    return np.sqrt((rest.mean() ** 2).sum(axis=1) * rest.size() / variance)


def _unknown(names: Sequence[str], gene_features: GeneFeatures) -> list[str]:
    known = np.any([gene_features.known(source, names) for source in gene_features.sources], axis=0)
    return [name for name, is_known in zip(names, known, strict=True) if not is_known]


def _synonyms(names: Sequence[str], gene_features: GeneFeatures) -> list[str]:
    """Different names that stand for the same gene of the features."""
    rows = pd.Series({name: gene_features.row_of.get(name) for name in names}).dropna()
    groups = rows.groupby(rows).groups.values()
    return [" = ".join(group) for group in groups if len(group) > 1]
