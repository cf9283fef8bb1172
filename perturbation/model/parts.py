"""The parts of a prediction that can be exchanged, and what each is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, Self

import numpy as np
import pandas as pd

from perturbation.data.centroids import TrainingCentroids
from perturbation.data.summary import Summary
from perturbation.model.gene_features import GeneFeatures


class Predictor(Protocol):
    """Centroids of knock-outs nobody measured: the board of Pearson delta."""

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Learn from the training knock-outs, and return self.

        Parameters
        ----------
        training
            Centroids in log2(1 + counts per 100,000), and proportions.
        gene_features
            What is known about genes, from `load_gene_features`.
        """

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return centroids (len(perturbations), n_genes) in the order of ``training.genes``.

        log2(1 + counts per 100,000), finite and not negative; the same for a knock-out asked alone
        and among others.
        """


Cells = Callable[[Summary], np.ndarray]
"""The cells that predictions are made of: (100, n_genes) float32, not negative, of a summary. Their
distribution is the board of MMD; their mean is moved to each predicted centroid."""

Proportions = Callable[
    [TrainingCentroids, GeneFeatures | None, Predictor, Sequence[str]], pd.DataFrame
]
"""The board of L1: of the training set, the gene features, the fitted predictor of centroids and
the perturbations to the shares (n, 4) pre_adipo, adipo, other, lipo, index the perturbations."""
