"""Predict the centroid of a knock-out: a mix of directions, and the target's own transcript.

Both are a `perturbation.model.parts.Predictor`; main.py names what ships.

Pearson delta does not see the length of an effect, so a mix is fitted to the directions of the
training effects: residuals from the perturbed centroid, scaled to unit length. The best answer
under that metric is the posterior mean of the direction.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd

from perturbation.data.summary import TrainingCentroids
from perturbation.model.direction_mix import PARTS, fit_mix, predict_coefficients
from perturbation.model.effects import effects_of, own_genes
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.gene_kernels import gene_kernels, process_terms, source_weights
from perturbation.model.parts import Predictor, fitted, predicted_centroids


class Blend:
    """The perturbed centroid plus a mix of directions.

    The weights of the parts and the ridges are those that do best for training knock-outs left out
    one at a time.

    Parameters
    ----------
    parts
        Those of the mix, as `perturbation.model.direction_mix` names them.
    """

    def __init__(self, parts: Sequence[str] = PARTS) -> None:
        self.parts = tuple(parts)

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Fit the mix; see `Predictor.fit`."""
        self.training, self.gene_features = training, gene_features
        self.effects = effects_of(training)
        self.names = names = list(training.perturbation_centroids.index)
        kernels = gene_kernels(gene_features, names, names)
        deviations = self.effects.directions[:-1] - self.effects.directions[:-1].mean(axis=0)
        self.source_weights = source_weights(kernels, deviations @ deviations.T)
        own = own_genes(training, self.effects)
        self.mix = fit_mix(self.parts, self.effects, self._kernels(names), own)
        return self

    def _kernels(self, genes: Sequence[str]) -> dict[str, np.ndarray]:
        """(len(genes), n_training) of each part that rests on what is known before training."""
        known = gene_kernels(self.gene_features, genes, self.names)
        terms, of_training = (process_terms(self.gene_features, g) for g in (genes, self.names))
        return {
            "knowledge": np.tensordot(self.source_weights, known, axes=1),
            "process": terms @ of_training.T,
        }

    def coefficients(self, perturbations: Sequence[str]) -> np.ndarray:
        """Weight of each training knock-out's direction in each prediction.

        Returns
        -------
        (len(perturbations), n_training + 1), the last column that of the control's direction.
        """
        own = own_genes(self.training, self.effects, perturbations)
        of_all = own.kernel(own.directions, self.mix.axes)
        kernels = self._kernels(perturbations)
        kernels["own gene"] = of_all[len(self.names) :]
        return predict_coefficients(self.mix, kernels)

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return one centroid for each perturbation."""
        delta = self.coefficients(perturbations) @ self.effects.directions
        return np.maximum(self.training.perturbed_centroid + delta, 0)


class OwnTranscript:
    """A predictor whose predictions get the target's own transcript at the level training teaches.

    A knock-out lowers its own messenger; activation raises it. The level is the control's times the
    median ratio seen in training. The inner predictor is fitted without it: each training
    knock-out's own transcript is replaced by the mean of the others. A perturbation measured in
    training gets its own centroid.
    """

    def __init__(self, inner: Predictor) -> None:
        self.inner = inner

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Learn the ratio, then fit the inner predictor; see `Predictor.fit`."""
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
        without = replace(training, perturbation_centroids=without_own)
        self.inner = fitted(self.inner, without, gene_features)
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return inner's centroids with the own transcript set, or the measured ones."""
        # Checked here too, so that what is wrong with inner's is said of inner.
        answers = predicted_centroids(self.inner, perturbations, len(self.control))
        centroids = np.array([*answers]).reshape(-1, len(self.control))
        columns = self.control.index.get_indexer(pd.Index(perturbations))
        here = np.flatnonzero(columns >= 0)
        centroids[here, columns[here]] = self.ratio * self.control.to_numpy()[columns[here]]
        rows = self.measured.index.get_indexer(pd.Index(perturbations))
        centroids[rows >= 0] = self.measured.to_numpy()[rows[rows >= 0]]
        return centroids
