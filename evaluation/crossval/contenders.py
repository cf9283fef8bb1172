"""What is compared: predictors of centroids by name, each with a rule for program proportions."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.summary import mean_of_perturbed_cells
from perturbation.errors import InputError


@dataclass(frozen=True)
class Contender:
    """A predictor and a rule for proportions, by the names under which any process finds them.

    Attributes
    ----------
    name
        As it stands in tables.
    predictor
        "module:Class", called without arguments; has ``fit(centroids, n_cells, control_centroid,
        gene_features)`` and ``predict(perturbations) -> (n, n_genes)``.
    proportions
        "module:function", called with the training proportions, the perturbations and the gene
        features.
    """

    name: str
    predictor: str
    proportions: str = "perturbation.model.programs:predict_proportions"


class PerturbedCentroid:
    """Every knock-out looks like the mean perturbed cell: no direction, so Pearson delta is 0."""

    def fit(
        self,
        centroids: pd.DataFrame,
        n_cells: pd.Series,
        control_centroid: np.ndarray,
        gene_features: object = None,
    ) -> Self:
        """Keep the perturbed centroid (n_genes,)."""
        self.centroid = mean_of_perturbed_cells(centroids, n_cells)
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return it once for each perturbation."""
        return np.tile(self.centroid, (len(perturbations), 1))


def control_proportions(
    proportions: pd.DataFrame, perturbations: Sequence[str], gene_features: object
) -> pd.DataFrame:
    """Give every perturbation the controls' proportions."""
    row = proportions.loc[[CONTROL_LABEL] * len(perturbations), list(PROGRAM_FLAGS)]
    return row.set_axis(list(perturbations))


def mean_proportions(
    proportions: pd.DataFrame, perturbations: Sequence[str], gene_features: object
) -> pd.DataFrame:
    """Give every perturbation the mean proportions of the training knock-outs."""
    mean = proportions.drop(index=CONTROL_LABEL)[list(PROGRAM_FLAGS)].mean()
    return pd.DataFrame([mean] * len(perturbations), index=list(perturbations))


SHIPPED = Contender("shipped", "perturbation.model.predictors:shipped_predictor")
BASELINES = (
    Contender(
        "control centroid",
        "perturbation.model.predictors:ControlCentroid",
        "evaluation.crossval.contenders:control_proportions",
    ),
    Contender(
        "perturbed centroid",
        "evaluation.crossval.contenders:PerturbedCentroid",
        "evaluation.crossval.contenders:mean_proportions",
    ),
    Contender(
        "bilinear regression",
        "evaluation.crossval.baselines:BilinearRegression",
        "evaluation.crossval.contenders:mean_proportions",
    ),
)


def named(reference: str) -> Any:  # noqa: ANN401, a class or a function
    """Import what "module:name" says.

    Raises
    ------
    InputError
        If there is no such module, or nothing of that name in it.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        what = "there is no such module" if error.name == module_name else "it cannot be imported"
        raise InputError(
            f"{reference}: {module_name}: {what} ({error}). Give module:Class, the module as "
            "Python imports it from this directory."
        ) from error
    if not hasattr(module, name):
        raise InputError(
            f"{reference}: {module_name} has no {name or 'class after a colon'}. Give module:Class."
        )
    return getattr(module, name)


def make_predictor(reference: str) -> Any:  # noqa: ANN401, a predictor
    """Make the predictor that "module:Class" says.

    Raises
    ------
    InputError
        As `named`, or if it cannot be called without arguments.
    """
    make = named(reference)
    try:
        return make()
    except TypeError as error:
        raise InputError(f"{reference} cannot be called without arguments: {error}.") from error
