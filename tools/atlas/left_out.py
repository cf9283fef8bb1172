"""How far to believe a prediction: every training knock-out left out once, and what that says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

import main as submission
from evaluation.report.words import SIGNIFICANT, rank_correlation
from evaluation.scoring.metrics import pearson_delta
from perturbation.answers import fitted, predicted_centroids
from perturbation.competition import CONTROL_LABEL
from perturbation.data.centroids import TrainingCentroids
from perturbation.model.cells import most_variable_genes
from perturbation.model.gene_features import GeneFeatures
from perturbation.output.model_file import Model
from perturbation.progress import progress

N_PANEL_GENES = 1000
"""Most variable genes, as the platform's hidden panel behaves like these."""
LEVEL = 0.8
UNKNOWN = "no gene"
DECIMALS = 5
"""Of the score of fat cells: less is rounding."""
FEWEST = 10
"""Training knock-outs behind an interval, at least; else the nearest third in closeness."""


@dataclass(frozen=True)
class LeftOut:
    """What the shipped predictor says of each training knock-out that it was not told about.

    Attributes
    ----------
    pearson_delta, closeness
        (n,) on the most variable genes, and of its gene to the other knock-outs.
    fat, adipo
        (n,) predicted `fat_score` and measured share of adipo cells.
    """

    pearson_delta: np.ndarray
    closeness: np.ndarray
    fat: np.ndarray
    adipo: np.ndarray

    @property
    def fat_test(self) -> tuple[float, float]:
        """Rank correlation of the predicted score with the measured share, and its p value."""
        return rank_correlation(self.fat, self.adipo, "greater")

    @property
    def ranks_fat_cells(self) -> bool:
        """Whether the score ranks knock-outs left out better than chance."""
        return self.fat_test[1] < SIGNIFICANT

    @property
    def closeness_test(self) -> tuple[float, float]:
        """Rank correlation of closeness with Pearson delta, and its p value."""
        return rank_correlation(self.closeness, self.pearson_delta)

    @property
    def closeness_tells(self) -> bool:
        """Whether closer genes are predicted better, by more than chance."""
        return self.closeness_test[0] > 0 and self.closeness_test[1] < SIGNIFICANT

    def expected(self, closeness: np.ndarray) -> pd.DataFrame:
        """Mean and `LEVEL` interval of Pearson delta for targets as close as these.

        It holds the middle of the scores of the knock-outs nearest in closeness, or of all where
        closeness tells nothing; its ends are the order statistics between which one more score of
        the same kind lies `LEVEL` of the time.
        """
        rows = [self._interval(np.arange(len(self.closeness)), c) for c in closeness]
        return pd.DataFrame(rows, columns=["expected", "low", "high"])

    def coverage(self) -> float:
        """Share of the training knock-outs whose score the others' interval holds."""
        rows, inside = np.arange(len(self.closeness)), []
        for i, score in enumerate(self.pearson_delta):
            _, low, high = self._interval(rows[rows != i], self.closeness[i])
            inside.append(low <= score <= high)
        return float(np.mean(inside))

    def _interval(self, rows: np.ndarray, at: float) -> tuple[float, float, float]:
        k = len(rows)
        if self.closeness_tells:
            k = min(k, max(FEWEST, k // 3))
        order = np.argsort(np.abs(self.closeness[rows] - at), kind="stable")
        near = np.sort(self.pearson_delta[rows[order[:k]]])
        out = int((1 - LEVEL) / 2 * (k + 1))
        return float(near.mean()), float(near[max(out - 1, 0)]), float(near[min(k - out, k - 1)])


def leave_one_out(model: Model, gene_features: GeneFeatures) -> LeftOut:
    """Predict the centroid of every training knock-out from the others.

    No cells are made: Pearson delta is of centroids. That takes as long as fitting so often.
    """
    training, names = model.training, list(model.training.perturbation_centroids.index)
    panel = most_variable_genes(sparse.csr_array(model.base_cells), N_PANEL_GENES)
    rows = []
    with progress(len(names), "leaving one out", unit="knock-out") as bar:
        for name in names:
            rest = training.without([name])
            predictor = fitted(submission.shipped_predictor(), rest, gene_features)
            asked = predicted_centroids(predictor, [name, UNKNOWN], len(rest.genes))
            centroid, of_any = asked
            truth, centre = training.perturbation_centroids.loc[[name]], rest.perturbed_centroid
            score = pearson_delta(truth.to_numpy()[:, panel], centroid[None, panel], centre[panel])
            # subtle: what the others' means alone say leans away from the one left out
            own = pd.Series(centroid - of_any, index=rest.genes)
            fat = round(fat_score(own, name, fat_direction(rest)), DECIMALS)
            rows.append((score, fat))
            bar.update(1)
    scores, fat = np.array(rows).T
    near = closeness(names, training, gene_features)
    return LeftOut(scores, near, fat, training.proportions.loc[names, "adipo"].to_numpy())


def closeness(
    targets: list[str], training: TrainingCentroids, gene_features: GeneFeatures
) -> np.ndarray:
    """(n_targets,) similarity of each gene to the nearest other knocked-out one, 0 to 1."""
    return similarity(targets, training, gene_features).max(axis=1).to_numpy()


def similarity(
    targets: list[str], training: TrainingCentroids, gene_features: GeneFeatures
) -> pd.DataFrame:
    """(n_targets, n_knockouts) mean of the sources' kernels; 0 between a gene and itself."""
    knockouts = list(training.perturbation_centroids.index)
    kernels = [gene_features.kernel(source, targets, knockouts) for source in gene_features.sources]
    table = pd.DataFrame(np.mean(kernels, axis=0), index=targets, columns=knockouts)
    return table.mask(np.equal.outer(np.array(targets), np.array(knockouts)), 0.0)


def fat_direction(training: TrainingCentroids) -> pd.Series:
    """(n_genes,) of length 1: covariance of the training effects with the share of adipo cells."""
    centroids = training.perturbation_centroids
    deltas = centroids - centroids.mean()
    for name in deltas.index.intersection(deltas.columns):
        deltas.loc[name, name] = 0.0
    deltas = deltas.div(np.linalg.norm(deltas, axis=1) + 1e-12, axis=0)
    adipo = training.proportions.drop(index=CONTROL_LABEL).loc[deltas.index, "adipo"]
    direction = deltas.T @ (adipo - adipo.mean())
    return direction / (np.linalg.norm(direction) or 1.0)


def fat_score(delta: pd.Series, target: str, direction: pd.Series) -> float:
    """How far a predicted effect goes along `fat_direction`; its own transcript does not count."""
    others = direction.index != target
    return float(delta.to_numpy()[others] @ direction.to_numpy()[others])
