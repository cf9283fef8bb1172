"""What is odd about the data: listed, with names, before anybody models it."""

from __future__ import annotations

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
N_NAMED = 12


def oddities(look: Look, gene_features: GeneFeatures, data: Path) -> pd.DataFrame:
    """Return what is odd: columns how many, which; index what."""
    shifts, measured = pool_shifts(look), set(look.summary.training.genes)
    apart = shifts.index[shifts > POOL_FACTOR * max(shifts.median(), 1.0)]
    rows = {"own transcript is not lowered": own_not_lowered(look), "pool stands apart": [*apart]}
    knockouts, targets = list(look.strengths.index), read_names(data / PERTURBATIONS_FILE)
    for who, names in (("knock-out", knockouts), ("target", targets)):
        rows[f"{who} is not measured"] = [n for n in names if n not in measured]
        unknown = [n for n in names if n not in gene_features.row_of]
        rows[f"{who} of which nothing is known"] = unknown
    rows["target has training cells"] = [n for n in targets if n in knockouts]
    rows["two names of one gene"] = _synonyms({*knockouts, *targets}, gene_features)
    told = {what: [len(found), listed(found, N_NAMED) or "none"] for what, found in rows.items()}
    return pd.DataFrame.from_dict(told, "index", columns=["how many", "which"]).rename_axis("what")


def own_not_lowered(look: Look) -> list[str]:
    """Knock-outs whose own transcript is surely above `LOWERED` of the control's.

    The standard error is that of a mean of cells as variable as the sample.
    """
    found, training, genes = [], look.summary.training, list(look.summary.training.genes)
    levels = look.strengths["expression"]
    for name in levels.index[levels > 0]:
        values = look.summary.cells[:, [genes.index(name)]].toarray()
        error = values.std() / np.sqrt(look.strengths.loc[name, "n_cells"])
        own = training.perturbation_centroids.loc[name, name]
        if own - STANDARD_ERRORS * error > LOWERED * levels[name]:
            found.append(name)
    return found


def pool_shifts(look: Look) -> pd.Series:
    """How far each pool's cells lie from their labels' means, in units of what chance gives."""
    pools = look.sample.get(POOL, pd.Series("all", look.sample.index)).to_numpy(str)
    rest = pd.DataFrame(look.rest).groupby(pools)
    variance = (look.rest**2).sum(axis=1).mean()
    return np.sqrt((rest.mean() ** 2).sum(axis=1) * rest.size() / variance)


def _synonyms(names: set[str], gene_features: GeneFeatures) -> list[str]:
    """Different names that stand for the same gene of the features."""
    rows = pd.Series({name: gene_features.row_of.get(name) for name in sorted(names)}).dropna()
    groups = rows.groupby(rows).groups.values()
    return [" = ".join(group) for group in groups if len(group) > 1]
