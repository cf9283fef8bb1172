"""What is compared: the submission as it ships, or with one of its parts exchanged."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from evaluation.local.stage_process import describe_failure
from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids
from perturbation.errors import InputError
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import Predictor, check_predictor
from perturbation.model.predictors import OwnTranscript

REFERENCE = "module:name, or module:name(argument=1), the module as Python imports it from here"


@dataclass(frozen=True)
class Contender:
    """Parts of the submission by the names under which any process finds them; empty: as shipped.

    Attributes
    ----------
    name
        As it stands in tables.
    predictor, cells, proportions
        "module:name", a function or class, perhaps with arguments: what main.fit and main.predict
        take under these names.
    features
        Path of a file of gene features.
    own_transcript
        Whether the predictor is wrapped as the shipped one is, so that like is compared with like.
    """

    name: str
    predictor: str = ""
    cells: str = ""
    proportions: str = ""
    features: str = ""
    own_transcript: bool = False

    def fit_parts(self) -> dict[str, Any]:
        """Return what main.fit takes by name."""
        return {"cells": _called(self.cells)} if self.cells else {}

    def predict_parts(self) -> dict[str, Any]:
        """Return what main.predict takes by name."""
        parts: dict[str, Any] = {}
        if self.predictor:
            parts["predictor"] = self._make_predictor
        if self.proportions:
            parts["proportions"] = _called(self.proportions)
        return parts

    def _make_predictor(self) -> Predictor:
        found = _named(self.predictor)
        predictor = found() if callable(found) else found
        check_predictor(predictor, self.predictor)
        return OwnTranscript(predictor) if self.own_transcript else predictor

    def check(self) -> None:
        """Raise InputError unless every part can be found and made."""
        for part in (*self.fit_parts().values(), *self.predict_parts().values()):
            if not callable(part):
                raise InputError(f"{self.name} cannot be called. Give a function.")
        if self.predictor:
            self._make_predictor()


class PerturbedCentroid:
    """Every knock-out looks like the mean perturbed cell: no direction, so Pearson delta is 0."""

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Keep the perturbed centroid (n_genes,)."""
        self.centroid = training.perturbed_centroid
        return self

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return it once for each perturbation."""
        return np.tile(self.centroid, (len(perturbations), 1))


def control_proportions(
    training: TrainingCentroids,
    gene_features: GeneFeatures | None,
    predictor: Predictor,
    perturbations: Sequence[str],
) -> pd.DataFrame:
    """Give every perturbation the controls' proportions."""
    row = training.proportions.loc[[CONTROL_LABEL] * len(perturbations), list(PROGRAM_FLAGS)]
    return row.set_axis(list(perturbations))


def mean_proportions(
    training: TrainingCentroids,
    gene_features: GeneFeatures | None,
    predictor: Predictor,
    perturbations: Sequence[str],
) -> pd.DataFrame:
    """Give every perturbation the mean proportions of the training knock-outs."""
    mean = training.proportions.drop(index=CONTROL_LABEL)[list(PROGRAM_FLAGS)].mean()
    return pd.DataFrame([mean] * len(perturbations), index=list(perturbations))


SHIPPED = Contender("shipped")
BASELINES = (
    Contender(
        "control centroid",
        "perturbation.model.predictors:ControlCentroid",
        proportions="evaluation.crossval.contenders:control_proportions",
    ),
    Contender(
        "perturbed centroid",
        "evaluation.crossval.contenders:PerturbedCentroid",
        proportions="evaluation.crossval.contenders:mean_proportions",
    ),
    Contender(
        "bilinear regression",
        "evaluation.crossval.baselines:BilinearRegression",
        proportions="evaluation.crossval.contenders:mean_proportions",
    ),
)


def given_contenders(
    predictors: Sequence[str],
    cells: Sequence[str],
    proportions: Sequence[str],
    features: Sequence[str],
    *,
    own_transcript: bool,
) -> tuple[Contender, ...]:
    """Return the shipped submission, the baselines, and it with each part given exchanged.

    Raises
    ------
    InputError
        If a part cannot be made, or is given twice.
    """
    given = [
        *[Contender(r, predictor=r, own_transcript=own_transcript) for r in predictors],
        *[Contender(r, cells=r) for r in cells],
        *[Contender(r, proportions=r) for r in proportions],
        *[Contender(r, features=r) for r in features],
    ]
    names = [contender.name for contender in given]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{repeated[0]} is given twice; give each once.")
    for contender in given:
        try:
            contender.check()
        except Exception as error:  # whatever a user's module or class raises
            what = f"{contender.name} failed"
            raise InputError(describe_failure(error, what, str(Path.cwd()))) from error
    return (SHIPPED, *BASELINES, *given)


def _called(reference: str) -> Any:  # noqa: ANN401, a function, or an object that can be called
    """Return the function that a reference names, or an instance of the class."""
    found = _named(reference)
    return found() if isinstance(found, type) else found


def _named(reference: str) -> Any:  # noqa: ANN401, a class, a function or an instance
    """Import what "module:name" says; call it if arguments stand behind.

    Raises
    ------
    InputError
        If there is no such module, nothing of that name in it, or it does not take the arguments.
    """
    module_name, _, expression = reference.partition(":")
    name, arguments, keywords = _parsed(reference, expression)
    if module_name.endswith(".py"):
        module_name = ".".join(Path(module_name).with_suffix("").parts)
        raise InputError(f"{reference} names a file. Give the module: {module_name}:{expression}.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        found = error.name != module_name
        what = "it cannot be imported" if found else "there is no such module"
        raise InputError(
            f"{reference}: {module_name}: {what} ({error}). Give {REFERENCE}."
        ) from error
    if not hasattr(module, name):
        raise InputError(f"{reference}: {module_name} has no {name}. Give {REFERENCE}.")
    found = getattr(module, name)
    if "(" not in expression:
        return found
    try:
        return found(*arguments, **keywords)
    except TypeError as error:
        raise InputError(f"{reference} cannot be called so: {error}.") from error


def _parsed(reference: str, expression: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Split "name(1, alpha=2)" into name, positional and named arguments; literals only."""
    with suppress(SyntaxError, ValueError):
        call = ast.parse(expression if "(" in expression else f"{expression}()", mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            positional = [ast.literal_eval(value) for value in call.args]
            named = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
            return call.func.id, positional, named
    raise InputError(f"{reference} is not understood. Give {REFERENCE}.")
