"""How far to believe a prediction: every training knock-out left out once, and what that says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from evaluation.command import users_main
from evaluation.report.words import SIGNIFICANT, rank_correlation
from evaluation.scoring.metrics import pearson_delta
from perturbation.answers import fitted, predicted_centroids
from perturbation.competition import CONTROL_LABEL
from perturbation.data.centroids import TrainingCentroids
from perturbation.model.cells import most_variable_genes
from perturbation.model.gene_features import GeneFeatures
from perturbation.output.model_file import Model
from perturbation.progress import progress
from tools.effects import effects_from

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
        (n,) predicted score of fat cells and measured share of adipo cells.
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
    scores, fat = [], []
    with progress(len(names), "leaving one out", unit="knock-out") as bar:
        for name in names:
            rest = training.without([name])
            predictor = fitted(users_main().shipped_predictor(), rest, gene_features)
            asked = predicted_centroids(predictor, [name, UNKNOWN], len(rest.genes))
            centroid, of_any = asked
            truth = training.perturbation_centroids.loc[[name]].to_numpy()[:, panel]
            scores.append(
                pearson_delta(truth, centroid[None, panel], rest.perturbed_centroid[panel])
            )
            # subtle: what the others' means alone say leans away from the one left out
            along = (centroid - of_any) * (rest.genes != name) @ fat_direction(rest)
            fat.append(round(float(along), DECIMALS))
            bar.update(1)
    near = similarity(names, training, gene_features).max(axis=1).to_numpy()
    adipo = training.proportions.loc[names, "adipo"].to_numpy()
    return LeftOut(np.array(scores), near, np.array(fat), adipo)


def similarity(
    targets: list[str], training: TrainingCentroids, gene_features: GeneFeatures
) -> pd.DataFrame:
    """(n_targets, n_knockouts) mean of the sources' kernels; 0 between a gene and itself."""
    knockouts = list(training.perturbation_centroids.index)
    kernels = [gene_features.kernel(source, targets, knockouts) for source in gene_features.sources]
    table = pd.DataFrame(np.mean(kernels, axis=0), index=targets, columns=knockouts)
    return table.mask(np.equal.outer(np.array(targets), np.array(knockouts)), 0.0)


def fat_direction(training: TrainingCentroids) -> np.ndarray:
    """(n_genes,) of length 1: covariance of the training effects with the share of adipo cells."""
    deltas = effects_from(training, training.perturbation_centroids.to_numpy().mean(axis=0))
    units = deltas.to_numpy() / (np.linalg.norm(deltas, axis=1)[:, None] + 1e-12)
    adipo = training.proportions.drop(index=CONTROL_LABEL).loc[deltas.index, "adipo"]
    direction = (adipo - adipo.mean()).to_numpy() @ units
    return direction / (np.linalg.norm(direction) or 1.0)
