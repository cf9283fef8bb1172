"""What can be computed of the data in one pass over its cells, before any picture is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL
from perturbation.data.dataset import Dataset
from perturbation.data.summary import CELLS_KEPT_PER_LABEL, Summary, spread_evenly, summarise
from perturbation.model.cells import most_variable_genes

N_GENES = 2000
"""Most variable genes: what effects, axes and the map are computed on."""
N_AXES = 5
POOL, DEPTH = "SampleID", "nCount_RNA"
UNIT = "log2(1 + counts per 100,000)"


@dataclass(frozen=True)
class Look:
    """The data and what they say.

    Attributes
    ----------
    dataset, summary
        As train() opens and sums it up; the cells of the summary are the sample of cells.
    obs
        (n_cells,) all columns of obs.
    rows
        (n_sample,) row in the file of each cell of the sample.
    genes
        (n_variable,) names of the most variable genes.
    panel
        (n_sample, n_variable) float32, the sample, log2(1 + counts per 100,000).
    effects
        (n_knockouts, n_variable) centroid minus control centroid; 0 for a target's own transcript.
    strengths
        Index knock-out: n_cells, strength (length of the effect), chance (length that the noise of
        both means alone would give it) and expression (of the target in control cells, or NaN).
    axes
        (n_knockouts, N_AXES) scores on the principal components of the effects.
    axis_genes
        (N_AXES, n_variable) their unit-length directions.
    axis_shares
        (N_AXES,) shares of the effects' variance.
    """

    dataset: Dataset
    summary: Summary
    obs: pd.DataFrame
    rows: np.ndarray
    genes: np.ndarray
    panel: np.ndarray
    effects: pd.DataFrame
    strengths: pd.DataFrame
    axes: pd.DataFrame
    axis_genes: pd.DataFrame
    axis_shares: np.ndarray


def look_at(dataset: Dataset) -> Look:
    """Read the cells once; errors as `summarise`."""
    with h5py.File(dataset.path) as file:
        obs = ad.io.read_elem(file["obs"])
    summary = summarise(dataset)
    columns = most_variable_genes(summary.cells, N_GENES)
    panel = summary.cells[:, columns].toarray()
    genes = summary.training.genes[columns]
    effects = _effects(summary).loc[:, genes]
    axes, axis_genes, shares = _axes(effects)
    return Look(
        dataset=dataset,
        summary=summary,
        obs=obs,
        rows=np.flatnonzero(spread_evenly(dataset.labels, CELLS_KEPT_PER_LABEL)),
        genes=genes,
        panel=panel,
        effects=effects,
        strengths=_strengths(summary, effects, residuals(summary, panel, genes)),
        axes=axes,
        axis_genes=axis_genes,
        axis_shares=shares,
    )


def _effects(summary: Summary) -> pd.DataFrame:
    training = summary.training
    effects = training.perturbation_centroids - training.control_centroid
    own = [name for name in effects.index if name in effects.columns]
    for name in own:
        effects.loc[name, name] = 0.0
    return effects


def residuals(summary: Summary, panel: np.ndarray, genes: np.ndarray) -> np.ndarray:
    """(n_sample, n_variable) float32: each cell of the sample minus the centroid of its label."""
    training = summary.training
    control = pd.Series(training.control_centroid, index=training.genes)
    centroids = training.perturbation_centroids[genes].copy()
    centroids.loc[CONTROL_LABEL] = control[genes]
    rows = centroids.index.get_indexer(summary.cell_labels)
    return panel - centroids.to_numpy(np.float32)[rows]


def _strengths(summary: Summary, effects: pd.DataFrame, rest: np.ndarray) -> pd.DataFrame:
    """Lengths, and what sampling alone gives: the cells' total variance over their numbers."""
    variance = float((rest.astype(np.float64) ** 2).sum(axis=1).mean())
    training = summary.training
    control = pd.Series(training.control_centroid, index=training.genes)
    n_cells = training.n_cells[effects.index]
    return pd.DataFrame(
        {
            "n_cells": n_cells,
            "strength": np.linalg.norm(effects.to_numpy(), axis=1),
            "chance": np.sqrt(variance * (1 / n_cells + 1 / training.n_control_cells)),
            "expression": control.reindex(effects.index),
        }
    )


def _axes(effects: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Principal components of the effects; the strongest knock-out of each has a plus."""
    centred = effects - effects.mean()
    left, lengths, right = np.linalg.svd(centred.to_numpy(), full_matrices=False)
    scores = (left * lengths)[:, :N_AXES]
    signs = np.sign(np.take_along_axis(scores, np.abs(scores).argmax(axis=0)[None], axis=0))[0]
    names = [f"axis {i + 1}" for i in range(scores.shape[1])]
    return (
        pd.DataFrame(scores * signs, index=effects.index, columns=names),
        pd.DataFrame(right[: len(names)] * signs[:, None], index=names, columns=effects.columns),
        (lengths**2 / (lengths**2).sum())[: len(names)],
    )
