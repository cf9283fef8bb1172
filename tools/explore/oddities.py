"""What is odd about the data: listed, with names, before anybody models it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import PERTURBATIONS_FILE
from perturbation.data.names import listed, read_names
from perturbation.model.gene_features import GeneFeatures
from tools.explore.look import POOL, Look, residuals

LOWERED = 0.9
"""A knock-out is expected to leave less than this of its own transcript."""
STANDARD_ERRORS = 2.0
POOL_FACTOR = 3.0
"""A pool stands apart where its shift, in units of chance, is so many times the median pool's."""
N_NAMED = 12


def oddities(look: Look, gene_features: GeneFeatures, data: Path) -> pd.DataFrame:
    """Return what is odd: columns how many, which; index what."""
    names = list(look.strengths.index)
    targets = read_names(data / PERTURBATIONS_FILE)
    rows = {
        "own transcript is not lowered": own_not_lowered(look),
        "pool stands apart": pools_apart(look),
        "knocked-out gene is not measured": _unmeasured(names, look),
        "gene to predict the knock-out of is not measured": _unmeasured(targets, look),
        "gene to predict the knock-out of has training cells": [n for n in targets if n in names],
        "knock-out of which nothing is known": _unknown(names, gene_features),
        "gene to predict of which nothing is known": _unknown(targets, gene_features),
        "two names of one gene": _synonyms([*names, *targets], gene_features),
        "fewer than 100 cells": _few_cells(look),
    }
    return pd.DataFrame(
        [[len(found), listed(found, N_NAMED) if found else "none"] for found in rows.values()],
        index=pd.Index(rows, name="what"),
        columns=["how many", "which"],
    )


def own_not_lowered(look: Look) -> list[str]:
    """Knock-outs whose own transcript is surely above `LOWERED` of the control's.

    The standard error is that of a mean of cells as variable as the sample's controls.
    """
    found = []
    training = look.summary.training
    columns = pd.Index(training.genes).get_indexer(look.strengths.index)
    for name, column in zip(look.strengths.index, columns, strict=True):
        if column < 0 or training.control_centroid[column] <= 0:
            continue
        values = look.summary.cells[:, [column]].toarray()
        error = values.std() / np.sqrt(look.strengths.loc[name, "n_cells"])
        own = training.perturbation_centroids.loc[name].iloc[column]
        if own - STANDARD_ERRORS * error > LOWERED * training.control_centroid[column]:
            found.append(name)
    return found


def pool_shifts(look: Look) -> pd.Series:
    """How far each pool's cells lie from their labels' means, in units of what chance gives."""
    rest = residuals(look.summary, look.panel, look.genes).astype(np.float64)
    variance = (rest**2).sum(axis=1).mean()
    pools = look.obs[POOL].astype(str).to_numpy()[look.rows]
    shifts = {
        pool: np.linalg.norm(rest[pools == pool].mean(axis=0))
        / np.sqrt(variance / (pools == pool).sum())
        for pool in np.unique(pools)
    }
    return pd.Series(shifts)


def pools_apart(look: Look) -> list[str]:
    """Pools whose shift is `POOL_FACTOR` times the median pool's."""
    if POOL not in look.obs:
        return []
    shifts = pool_shifts(look)
    return list(shifts.index[shifts > POOL_FACTOR * max(shifts.median(), 1.0)])


def _unmeasured(names: Sequence[str], look: Look) -> list[str]:
    measured = set(look.summary.training.genes)
    return [name for name in names if name not in measured]


def _unknown(names: Sequence[str], gene_features: GeneFeatures) -> list[str]:
    known = np.any([gene_features.known(source, names) for source in gene_features.sources], axis=0)
    return [name for name, is_known in zip(names, known, strict=True) if not is_known]


def _synonyms(names: Sequence[str], gene_features: GeneFeatures) -> list[str]:
    """Different names that stand for the same gene of the features."""
    frame = pd.Series({name: gene_features.row_of.get(name, -1) for name in names})
    groups = frame[frame >= 0].groupby(frame[frame >= 0]).groups.values()
    return [" = ".join(group) for group in groups if len(group) > 1]


def _few_cells(look: Look) -> list[str]:
    return list(look.strengths.index[look.strengths["n_cells"] < 100])
