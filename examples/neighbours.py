"""Nearest neighbours on the Gene Ontology: a class in the place of the shipped predictor.

    python local_test.py --cv 5 --predictor "examples.neighbours:Neighbours(k=5)"

To ship it, return it from shipped_predictor() in main.py.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np

from perturbation.data.summary import TrainingCentroids
from perturbation.model.gene_features import GeneFeatures


class Neighbours:
    """The mean effect of the k training knock-outs that share most GO terms with the target.

    Parameters
    ----------
    k
        Neighbours that count; each weighs as much as the cosine of its terms with the target's.
    doubt
        Weight of no effect at all: a target without near neighbours stays close to the mean.
    """

    def __init__(self, k: int = 5, doubt: float = 0.3) -> None:
        self.k, self.doubt = k, doubt

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures) -> Self:
        """Keep the effects: centroids minus the perturbed centroid, log2(1 + counts per 1e5)."""
        self.names = list(training.perturbation_centroids.index)
        self.mean = training.perturbed_centroid
        self.effects = training.perturbation_centroids.to_numpy() - self.mean
        self.gene_features = gene_features
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return centroids (len(perturbations), n_genes)."""
        weights = self.gene_features.kernel("GO", perturbations, self.names)
        k = min(self.k, len(self.names))
        least = np.sort(weights, axis=1)[:, -k, None]
        weights = np.where(weights >= least, weights, 0)
        weights /= weights.sum(axis=1, keepdims=True) + self.doubt
        # subtle: an effect added to the mean can take a gene below 0, where no expression is
        return np.maximum(self.mean + weights @ self.effects, 0)
