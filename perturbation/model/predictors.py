"""Predict the centroid of a knock-out: a ladder from a constant to what is known about genes.

Every one is a `perturbation.model.parts.Predictor`; main.py names the one that ships.

Pearson delta does not see the length of an effect, so rungs are fitted to the directions of the
training effects: residuals from the perturbed centroid, scaled to unit length. The best answer
under that metric is the posterior mean of the direction; rungs differ in what they mix for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd

from perturbation.data.centroids import TrainingCentroids
from perturbation.model.direction_mix import fit_mix, predict_coefficients
from perturbation.model.effects import deviation_gram, effects_of
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.gene_kernels import gene_kernels, source_weights
from perturbation.model.parts import Predictor


class ControlCentroid:
    """Every knock-out looks like the control cells: the truth for one that does nothing."""

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Keep the control centroid (n_genes,)."""
        self.centroid = training.control_centroid
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return the control centroid once for each perturbation."""
        return np.tile(self.centroid, (len(perturbations), 1))


class DirectionMix:
    """The perturbed centroid plus a mix of directions; subclasses name the parts of the mix.

    The weights of the parts and the ridges are those that do best for training knock-outs left out
    one at a time.
    """

    parts: tuple[str, ...]

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Fit the mix; see `Predictor.fit`."""
        self.effects = effects_of(training)
        self.gene_features = gene_features
        names = self.effects.perturbations
        kernels = gene_kernels(gene_features, names, names)
        self.source_weights = source_weights(kernels, deviation_gram(self.effects))
        kernel = np.tensordot(self.source_weights, kernels, axes=1)
        self.mix = fit_mix(self.parts, self.effects, kernel)
        return self

    def coefficients(self, perturbations: Sequence[str]) -> np.ndarray:
        """Weight of each training knock-out's direction in each prediction.

        Returns
        -------
        (len(perturbations), n_training + 1), the last column that of the control's direction.
        """
        kernels = gene_kernels(self.gene_features, perturbations, self.effects.perturbations)
        target_kernel = np.tensordot(self.source_weights, kernels, axes=1)
        return predict_coefficients(self.mix, target_kernel)

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return one centroid for each perturbation."""
        delta = self.coefficients(perturbations) @ self.effects.directions
        return np.maximum(self.effects.perturbed_centroid + delta, 0)


class MeanUnitResidual(DirectionMix):
    """The mean direction of the training effects, for every target."""

    parts = ("mean",)


class NearestNeighbours(DirectionMix):
    """The mean direction of the ten training knock-outs about which the same is known."""

    parts = ("neighbours",)


class KernelRidge(DirectionMix):
    """The mean direction, and kernel ridge regression of what is left on the gene kernels."""

    parts = ("mean", "ridge")


class Blend(DirectionMix):
    """Kernel ridge, the mean direction, and the way back to the control cells."""

    parts = ("control", "mean", "ridge")


class OwnTranscript:
    """A rung whose predictions get the target's own transcript at the level training teaches.

    A knock-out lowers its own messenger; activation raises it. The level is the control's times the
    median ratio seen in training. The rung is fitted without it: each training knock-out's own
    transcript is replaced by the mean of the others. A perturbation measured in training gets its
    own centroid.
    """

    def __init__(self, rung: Predictor) -> None:
        self.rung = rung

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Learn the ratio, then fit the rung; see `Predictor.fit`."""
        centroids = training.perturbation_centroids
        self.measured = centroids
        self.control = pd.Series(training.control_centroid, index=training.genes)
        columns = centroids.columns.get_indexer(centroids.index)
        rows = np.flatnonzero(columns >= 0)
        columns = columns[rows]
        values = centroids.to_numpy(dtype=np.float64, copy=True)
        own, control = values[rows, columns], self.control.to_numpy()[columns]
        ratios = own[control > 0] / control[control > 0]
        self.ratio = float(np.median(ratios)) if len(ratios) else 1.0
        weights = training.n_cells.to_numpy(np.float64)
        of_others = weights @ values[:, columns] - weights[rows] * own
        values[rows, columns] = of_others / (weights.sum() - weights[rows])
        without_own = pd.DataFrame(values, index=centroids.index, columns=centroids.columns)
        self.rung.fit(replace(training, perturbation_centroids=without_own), gene_features)
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
