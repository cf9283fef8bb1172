"""Predict the centroid of a knock-out: a ladder from a constant to what is known about genes.

Every rung has ``fit(centroids, n_cells, control_centroid, gene_features) -> self`` and
``predict(perturbations) -> (n, n_genes) float64``, expression in log2(1 + counts per 100,000).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from perturbation.gene_features import GeneFeatures


class ControlCentroid:
    """Every knock-out looks like the control cells: the truth for one that does nothing."""

    def fit(
        self,
        centroids: pd.DataFrame,
        n_cells: pd.Series,
        control_centroid: np.ndarray,
        gene_features: GeneFeatures | None = None,
    ) -> Self:
        """Keep the control centroid (n_genes,)."""
        self.centroid = np.asarray(control_centroid, dtype=np.float64)
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return the control centroid once for each perturbation."""
        return np.tile(self.centroid, (len(perturbations), 1))


class MeanUnitResidual:
    """The perturbed centroid, moved along the mean of the unit-length training residuals."""

    def fit(
        self,
        centroids: pd.DataFrame,
        n_cells: pd.Series,
        control_centroid: np.ndarray | None = None,
        gene_features: GeneFeatures | None = None,
    ) -> Self:
        """Average the directions; the step is the harmonic mean length of the residuals."""
        values = centroids.to_numpy(dtype=np.float64)
        perturbed_centroid = np.average(values, axis=0, weights=n_cells[centroids.index])
        residuals = values - perturbed_centroid
        lengths = np.linalg.norm(residuals, axis=1)
        units = residuals / np.maximum(lengths, 1e-12)[:, None]
        step = 1 / np.mean(1 / np.maximum(lengths, 1e-12))
        self.centroid = np.maximum(perturbed_centroid + step * units.mean(axis=0), 0)
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return the same centroid once for each perturbation."""
        return np.tile(self.centroid, (len(perturbations), 1))


class OwnTranscript:
    """A rung whose predictions get the target's own transcript at the level training teaches.

    A knock-out lowers its own messenger; activation raises it. The level is the control's times
    the median ratio seen in training. A perturbation measured in training gets its own centroid.
    """

    def __init__(self, rung: ControlCentroid | MeanUnitResidual) -> None:
        self.rung = rung

    def fit(
        self,
        centroids: pd.DataFrame,
        n_cells: pd.Series,
        control_centroid: np.ndarray,
        gene_features: GeneFeatures | None = None,
    ) -> Self:
        """Fit the rung, then the ratio of own to control expression."""
        self.rung.fit(centroids, n_cells, control_centroid, gene_features)
        self.measured = centroids
        self.control = pd.Series(control_centroid, index=centroids.columns)
        own = [t for t in centroids.index if self.control.get(t, 0) > 0]
        ratios = [centroids.at[t, t] / self.control[t] for t in own]
        self.ratio = float(np.median(ratios)) if ratios else 1.0
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return the rung's centroids with the own transcript set, or the measured ones."""
        centroids = self.rung.predict(perturbations)
        columns = self.control.index.get_indexer(perturbations)
        here = np.flatnonzero(columns >= 0)
        centroids[here, columns[here]] = self.ratio * self.control.to_numpy()[columns[here]]
        rows = self.measured.index.get_indexer(perturbations)
        centroids[rows >= 0] = self.measured.to_numpy()[rows[rows >= 0]]
        return centroids


def shipped_predictor() -> OwnTranscript:
    """Return the predictor that main.py fits and uses."""
    return OwnTranscript(MeanUnitResidual())
