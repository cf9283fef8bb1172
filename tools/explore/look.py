"""What the data say in one pass over the cells, and what is odd about them."""

from pathlib import Path
from typing import NamedTuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from evaluation.reading import read_names
from perturbation.competition import CONTROL_LABEL, PERTURBATIONS_FILE
from perturbation.data.dataset import Dataset
from perturbation.data.names import listed
from perturbation.data.summary import CELLS_KEPT_PER_LABEL, Summary, spread_evenly, summarise
from perturbation.model.cells import most_variable_genes
from perturbation.model.gene_features import GeneFeatures
from tools.maps import effects_from

N_GENES = 2000
"""Most variable genes: what effects, axes and the map are computed on."""
N_AXES = 5
POOL, DEPTH = "SampleID", "nCount_RNA"
LOWERED = 0.9
"""A knock-out is expected to leave less than this of its own transcript."""
POOL_FACTOR = 3.0
"""A pool stands apart where its shift, in units of chance, is so many times the median pool's."""


class Look(NamedTuple):
    """The data and what they say.

    Attributes
    ----------
    summary
        As train() sums the data up; its cells are the sample of cells.
    obs, sample
        All columns of obs, of all cells and of the sample.
    panel
        (n_sample, n_variable) float32, the sample, log2(1 + counts per 100,000).
    rest
        (n_sample, n_variable) float64, each cell minus the centroid of its label.
    effects
        (n_knockouts, n_variable) centroid minus control centroid; 0 for a target's own transcript.
    strengths
        Index knock-out: n_cells, strength (length of the effect), chance (length that the noise of
        both means alone would give it) and expression (of the target in control cells, or NaN).
    axes
        Principal components of the effects.
    """

    summary: Summary
    obs: pd.DataFrame
    sample: pd.DataFrame
    panel: np.ndarray
    rest: np.ndarray
    effects: pd.DataFrame
    strengths: pd.DataFrame
    axes: PCA


def look_at(dataset: Dataset) -> Look:
    """Read the cells once; errors as `summarise`."""
    with h5py.File(dataset.path) as file:
        obs = ad.io.read_elem(file["obs"])
    summary = summarise(dataset)
    training, columns = summary.training, most_variable_genes(summary.cells, N_GENES)
    panel = summary.cells[:, columns].toarray()
    effects = effects_from(training, training.control_centroid).iloc[:, columns]
    control = {CONTROL_LABEL: training.control_centroid}
    centroids = training.perturbation_centroids.T.assign(**control).iloc[columns]
    rest = panel - centroids[summary.cell_labels].to_numpy().T
    n_cells = training.n_cells
    strengths = pd.DataFrame({"n_cells": n_cells, "strength": np.linalg.norm(effects, axis=1)})
    noise = (rest**2).sum(axis=1).mean() * (1 / n_cells + 1 / training.n_control_cells)
    expression = pd.Series(training.control_centroid, training.genes)
    strengths = strengths.assign(chance=np.sqrt(noise), expression=expression)
    sample = obs[spread_evenly(dataset.labels, CELLS_KEPT_PER_LABEL)]
    axes = PCA(min(N_AXES, *effects.shape), svd_solver="full").fit(effects)
    return Look(summary, obs, sample, panel, rest, effects, strengths, axes)


def oddities(look: Look, gene_features: GeneFeatures, data: Path) -> list[str]:
    """Say what was looked for, how many there are, and which."""
    shifts, training = pool_shifts(look), look.summary.training
    levels, measured = look.strengths["expression"], set(training.genes)
    own = {n: training.perturbation_centroids.loc[n, n] for n in levels.index[levels > 0]}
    high = [name for name, level in own.items() if level > LOWERED * levels[name]]
    apart = shifts.index[shifts > POOL_FACTOR * max(shifts.median(), 1.0)]
    rows = {"Own transcript not lowered": high, "Pool stands apart": [*apart]}
    knockouts, targets = list(look.strengths.index), read_names(data / PERTURBATIONS_FILE)
    for who, names in (("Knock-out", knockouts), ("Target", targets)):
        rows[f"{who} not measured"] = [n for n in names if n not in measured]
        rows[f"{who} of which nothing is known"] = [
            n for n in names if n not in gene_features.row_of
        ]
    rows["Two names of one gene"] = _synonyms({*knockouts, *targets}, gene_features)
    return [
        f"{what} ({len(found)}): {listed(found, most=12) or 'none'}" for what, found in rows.items()
    ]


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
