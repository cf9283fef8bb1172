"""What every cross-validation compares with: three baselines, and what they answer."""

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.linear_model import ridge_regression

from evaluation.local.answers import Answer
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.summary import TrainingCentroids
from perturbation.model.cells import cells_at
from perturbation.model.parts import Predictor, fitted, predicted_centroids

N_COMPONENTS = 10
RIDGE = 0.1


class ControlCentroid:
    """Every knock-out looks like the control cells: the truth for one that does nothing."""

    always = "control_centroid"

    def fit(self, training: TrainingCentroids, gene_features: object = None) -> Self:
        """Keep one centroid (n_genes,)."""
        self.centroid = getattr(training, self.always)
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return it once for each perturbation."""
        return np.tile(self.centroid, (len(perturbations), 1))


class PerturbedCentroid(ControlCentroid):
    """Every knock-out looks like the mean perturbed cell: no direction, so Pearson delta is 0."""

    always = "perturbed_centroid"


class BilinearRegression:
    """Knock-outs described by the place of their own gene in the training data, nothing else.

    Y (genes x perturbations) holds the training centroids, G (genes x 10) the scores of its genes
    on their first principal components, P (perturbations x 10) the rows of G of the knocked-out
    genes, b (genes,) the mean of Y over perturbations. With ridge 0.1 on both sides,

        W = (G'G + ridge)^-1 G' (Y - b) P (P'P + ridge)^-1,    prediction = G W P' + b.

    As the organisers' quickstarter does, after Ahlmann-Eltze, Huber and Anders (2025). A target
    that is no measured gene gets b, where theirs stops with a KeyError.
    """

    def fit(self, training: TrainingCentroids, gene_features: object = None) -> Self:
        """Learn from the training centroids alone."""
        centroids = training.perturbation_centroids
        y = centroids.to_numpy(np.float64).T
        self.genes = centroids.columns
        self.mean = y.mean(axis=1)
        left, lengths, _ = np.linalg.svd(y - y.mean(axis=0), full_matrices=False)
        self.gene_scores = (left * lengths)[:, :N_COMPONENTS]
        of_genes = ridge_regression(self.gene_scores, y - self.mean[:, None], RIDGE)
        # Rows of 0, of what is no measured gene, teach nothing.
        self.weights = ridge_regression(self._own_scores(list(centroids.index)), of_genes, RIDGE)
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return centroids (len(perturbations), n_genes) float64, at least 0."""
        own = self._own_scores(perturbations)
        return np.maximum(own @ self.weights.T @ self.gene_scores.T + self.mean, 0)

    def _own_scores(self, perturbations: Sequence[str]) -> np.ndarray:
        """(n, 10) rows of G, zeros for what is no gene."""
        rows = self.genes.get_indexer(pd.Index(perturbations))
        return np.where((rows >= 0)[:, None], self.gene_scores[rows], 0.0)


CONTROL = "control centroid"
BASELINES: dict[str, Callable[[], Predictor]] = {
    CONTROL: ControlCentroid,
    "perturbed centroid": PerturbedCentroid,
    "bilinear regression": BilinearRegression,
}


def baseline_answers(
    training: TrainingCentroids,
    base_cells: np.ndarray,
    perturbations: Sequence[str],
    columns: np.ndarray,
) -> dict[str, Answer]:
    """Return what the baselines say; their shares are the controls', or training's mean.

    Parameters
    ----------
    training
        What they learn from.
    base_cells
        (100, n_genes), moved to the centroids as those that ship are.
    perturbations
        Whom to predict.
    columns
        (n_scored,) columns of the answers.
    """
    table = training.proportions[list(PROGRAM_FLAGS)]
    shares = {CONTROL: table.loc[CONTROL_LABEL]}
    mean = table.drop(index=CONTROL_LABEL).mean()
    answers: dict[str, Answer] = {}
    for name, make in BASELINES.items():
        predictor = fitted(make(), training, None)
        rows = predicted_centroids(predictor, perturbations, len(training.genes))
        cells = cells_at(base_cells[:, columns], (row[columns] for row in rows))
        share = [shares.get(name, mean)] * len(perturbations)
        answers[name] = cells, pd.DataFrame(share, list(perturbations))
    return answers
