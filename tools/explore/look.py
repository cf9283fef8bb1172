"""What can be computed of the data in one pass over its cells, before any picture is drawn."""

from __future__ import annotations

from typing import NamedTuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL
from perturbation.data.dataset import Dataset
from perturbation.data.summary import CELLS_KEPT_PER_LABEL, Summary, spread_evenly, summarise
from perturbation.model.cells import most_variable_genes
from tools.effects import Axes, axes_of, effects_from

N_GENES = 2000
"""Most variable genes: what effects, axes and the map are computed on."""
N_AXES = 5
POOL, DEPTH = "SampleID", "nCount_RNA"


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
        Of the effects.
    """

    summary: Summary
    obs: pd.DataFrame
    sample: pd.DataFrame
    panel: np.ndarray
    rest: np.ndarray
    effects: pd.DataFrame
    strengths: pd.DataFrame
    axes: Axes


def look_at(dataset: Dataset) -> Look:
    """Read the cells once; errors as `summarise`."""
    with h5py.File(dataset.path) as file:
        obs = ad.io.read_elem(file["obs"])
    summary = summarise(dataset)
    training, columns = summary.training, most_variable_genes(summary.cells, N_GENES)
    panel = summary.cells[:, columns].toarray()
    effects = effects_from(training, training.control_centroid).iloc[:, columns]
    centroids = training.perturbation_centroids.T.assign(
        **{CONTROL_LABEL: training.control_centroid}
    )
    rest = panel - centroids[summary.cell_labels].to_numpy()[columns].T
    n_cells = training.n_cells
    strengths = pd.DataFrame({"n_cells": n_cells, "strength": np.linalg.norm(effects, axis=1)})
    noise = (rest**2).sum(axis=1).mean() * (1 / n_cells + 1 / training.n_control_cells)
    expression = pd.Series(training.control_centroid, training.genes)
    strengths = strengths.assign(chance=np.sqrt(noise), expression=expression)
    sample = obs[spread_evenly(dataset.labels, CELLS_KEPT_PER_LABEL)]
    return Look(summary, obs, sample, panel, rest, effects, strengths, axes_of(effects, N_AXES))
