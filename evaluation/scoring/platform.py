"""Scores by the platform's own module, fetched through the `crunch` client."""

import io
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from evaluation.local.answers import Answer, LocalTruth
from evaluation.scoring.metrics import METRICS
from perturbation.competition import PERTURBATIONS_FILE, PREDICTED_PROPORTIONS_FILE, PREDICTION_FILE
from perturbation.errors import InputError

TRUE_CELLS, TRUE_PROPORTIONS = "tf150_gtruth.h5ad", "program_proportion_gtruth.csv"
"""In the data directory that score() is given."""
COMPETITION = "broad-obesity-1"
PLATFORM_METRICS = ("pearson-delta", "mmd", "l1-distance")
"""In the order of `METRICS`."""

Scorer = Callable[[LocalTruth, Answer, list[np.ndarray]], pd.DataFrame]


def platform_scorer() -> tuple[Scorer, str]:
    """Return a function that scores by the platform's module, and words that say whose it is.

    Raises
    ------
    InputError
        If the module cannot be reached, or does not run.
    """
    from crunch.unstructured import ScoringModule, deduce_code_loader

    loader = deduce_code_loader(competition_name=COMPETITION, file_name="scoring")
    try:
        module = ScoringModule.load(loader)
    except Exception as error:  # the loader lets through whatever network and module raise
        raise InputError(f"The platform's scoring at {loader} does not load ({error}).") from error
    if module is None:
        raise InputError(
            f"The platform's scoring cannot be reached at {loader}. Check the network, set "
            "CRUNCH_COMPETITIONS_SOURCE=local://DIR to a checkout of the organisers' "
            "repository, or leave out --scorer platform."
        )
    return partial(score_by_platform, module.score), f"scored by the platform's module, {loader}"


def score_by_platform(
    score: Callable[..., Any], truth: LocalTruth, answer: Answer, panels: list[np.ndarray]
) -> pd.DataFrame:
    """Score as `score_answer` does, by one call of the platform's score() a perturbation and panel.

    A Pearson delta that the platform finds to be NaN stays NaN.
    """
    cells, proportions = answer
    scores = {}
    for name, predicted in zip(truth.perturbations, cells, strict=True):
        true, of_panels = truth.cells_of(name), []
        for panel in panels:
            with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as prediction:
                _write_cells(Path(data, TRUE_CELLS), name, true, truth, panel)
                _write_cells(Path(prediction, PREDICTION_FILE), name, predicted, truth, panel)
                _write_row(Path(data, TRUE_PROPORTIONS), name, truth.proportions)
                _write_row(Path(prediction, PREDICTED_PROPORTIONS_FILE), name, proportions)
                Path(data, PERTURBATIONS_FILE).write_text(f"{name}\n")
                of_panels.append(_call(score, data, prediction))
        scores[name] = np.mean(of_panels, axis=0)
    return pd.DataFrame.from_dict(scores, orient="index", columns=list(METRICS))


def _write_cells(
    path: Path, name: str, cells: np.ndarray, truth: LocalTruth, panel: np.ndarray
) -> None:
    """Write the cells of one perturbation; what score() wants to know in uns stands in both."""
    obs = pd.DataFrame({"gene": pd.Categorical([name] * len(cells))})
    obs.index = obs.index.astype(str)
    written = ad.AnnData(cells[:, panel], obs)
    written.var_names = pd.Index(truth.genes)[panel]
    written.uns["scoring_gene_mask"] = np.ones(len(panel), dtype=bool)
    written.uns["control_centroid_train"] = truth.control_centroid[panel]
    written.uns["perturbed_centroid_train"] = truth.perturbed_centroid[panel]
    written.write_h5ad(path)


def _write_row(path: Path, name: str, table: pd.DataFrame) -> None:
    table.loc[[name]].rename_axis("gene").to_csv(path)


def _call(score: Callable[..., Any], data: str, prediction: str) -> list[float]:
    from crunch.api import PhaseType

    metrics = [
        SimpleNamespace(id=name, name=name, target=SimpleNamespace(id=name, name=name))
        for name in PLATFORM_METRICS
    ]
    with redirect_stdout(io.StringIO()):
        results = score(
            phase_type=PhaseType.SUBMISSION,
            chain_height=1,
            metrics=metrics,
            prediction_directory_path=prediction,
            data_directory_path=data,
        )
    return [float(results[metric.id].value) for metric in metrics]
