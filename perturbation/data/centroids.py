"""Centroids: what the training cells say in means."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd


@dataclass(frozen=True, repr=False)
class TrainingCentroids:
    """Mean profiles and program proportions of a training set; log2(1 + counts per 100,000).

    Attributes
    ----------
    genes
        (n_genes,) names, in the order of the training file.
    perturbation_centroids
        (n_perturbations, n_genes) float64, mean of the cells of each knock-out, NC not included.
    n_cells
        (n_perturbations,) int, cells behind each of them.
    control_centroid
        (n_genes,) float64, mean of the NC cells.
    n_control_cells
        How many there are.
    program_centroids
        (4, n_genes) float64, index pre_adipo, adipo, other, lipo: mean of the NC cells of that
        program; the control centroid where no NC cell is of it. Knock-outs have no part in it.
    proportions
        (n_perturbations + 1, 4) share of cells in each program, NC included.
    """

    genes: np.ndarray
    perturbation_centroids: pd.DataFrame
    n_cells: pd.Series
    control_centroid: np.ndarray
    n_control_cells: int
    program_centroids: pd.DataFrame
    proportions: pd.DataFrame

    def __repr__(self) -> str:
        return f"TrainingCentroids({self.description})"

    @property
    def description(self) -> str:
        """Which data this is, in a few words."""
        n_cells = int(self.n_cells.sum()) + self.n_control_cells
        return f"{n_cells:,} cells x {len(self.genes):,} genes, {len(self.n_cells):,} perturbations"

    @property
    def perturbed_centroid(self) -> np.ndarray:
        """(n_genes,) float64, mean of all perturbed cells: the reference of Pearson delta."""
        weights = self.n_cells.to_numpy(np.float64)
        return weights @ self.perturbation_centroids.to_numpy() / weights.sum()

    def without(self, perturbations: Sequence[str]) -> Self:
        """Return those of a training set in which these were never measured."""
        names = list(perturbations)
        return replace(
            self,
            perturbation_centroids=self.perturbation_centroids.drop(index=names),
            n_cells=self.n_cells.drop(index=names),
            proportions=self.proportions.drop(index=names),
        )
