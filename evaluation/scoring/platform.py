"""Scores by the platform's own module, fetched through the `crunch` client."""

from __future__ import annotations

import io
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd

from evaluation.local.answers import Answer
from evaluation.local.truth import LocalTruth
from evaluation.scoring.metrics import METRICS
from perturbation.competition import (
    CELLS_PER_PERTURBATION,
    PERTURBATIONS_FILE,
    PREDICTED_PROPORTIONS_FILE,
    PREDICTION_FILE,
)
from perturbation.errors import InputError

if TYPE_CHECKING:
    from crunch.unstructured import ScoringModule

COMPETITION = "broad-obesity-1"
PLATFORM_NAMES = dict(zip(METRICS, ("pearson-delta", "mmd", "l1-distance"), strict=True))


def load_platform_scorer() -> tuple[ScoringModule, str]:
    """Fetch the platform's scoring module.

    Returns
    -------
    module
        The client's wrapper of it.
    source
        Where it came from.

    Raises
    ------
    InputError
        If it cannot be reached, or does not run.
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
    return module, str(loader)


def score_by_platform(
    module: ScoringModule, truth: LocalTruth, answer: Answer, panels: list[np.ndarray]
) -> pd.DataFrame:
    """Score as `score_answer` does, one call of the platform's score() a perturbation.

    A Pearson delta that the platform finds to be NaN stays NaN.
    """
    rows = {
        name: np.mean([_score_one(module, truth, answer, name, panel) for panel in panels], axis=0)
        for name in truth.perturbations
    }
    scores = pd.DataFrame.from_dict(rows, orient="index", columns=list(METRICS))
    return scores.assign(has_direction=scores["pearson_delta"].notna())


def _score_one(
    module: ScoringModule, truth: LocalTruth, answer: Answer, name: str, panel: np.ndarray
) -> list[float]:
    with tempfile.TemporaryDirectory() as directory, redirect_stdout(io.StringIO()):
        data, prediction = Path(directory, "data"), Path(directory, "prediction")
        _write_truth(data, truth, name, panel)
        _write_answer(prediction, truth, answer, name, panel)
        return _call(module, data, prediction)


def _call(module: ScoringModule, data: Path, prediction: Path) -> list[float]:
    from crunch.api import PhaseType

    metrics = [
        SimpleNamespace(id=number, name=name, target=SimpleNamespace(id=number, name=name))
        for number, name in enumerate(PLATFORM_NAMES.values())
    ]
    try:
        results = module.score(
            phase_type=PhaseType.SUBMISSION,
            chain_height=1,
            metrics=metrics,
            prediction_directory_path=str(prediction),
            data_directory_path=str(data),
        )
    except Exception as error:  # whatever the platform's code raises
        raise InputError(
            f"The platform's score() failed ({type(error).__name__}: {error}). Its interface may "
            "have changed; leave out --scorer platform."
        ) from error
    return [float(results[metric.id].value) for metric in metrics]


def _write_truth(directory: Path, truth: LocalTruth, name: str, panel: np.ndarray) -> None:
    """Write one perturbation as the files that the platform's score() reads."""
    cells = _anndata(truth.cells_of(name)[:, panel], name, truth, panel)
    cells.uns = {
        "scoring_gene_mask": np.ones(len(panel), dtype=bool),
        "control_centroid_train": truth.control_centroid[panel],
        "perturbed_centroid_train": truth.perturbed_centroid[panel],
    }
    directory.mkdir()
    cells.write_h5ad(directory / "tf150_gtruth.h5ad")
    _write_shares(truth.proportions, name, directory / "program_proportion_gtruth.csv")
    (directory / PERTURBATIONS_FILE).write_text(f"{name}\n")


def _write_answer(
    directory: Path, truth: LocalTruth, answer: Answer, name: str, panel: np.ndarray
) -> None:
    directory.mkdir()
    cells = answer.cells_of(name)[:CELLS_PER_PERTURBATION, panel]
    _anndata(cells, name, truth, panel).write_h5ad(directory / PREDICTION_FILE)
    _write_shares(answer.proportions, name, directory / PREDICTED_PROPORTIONS_FILE)


def _write_shares(table: pd.DataFrame, name: str, path: Path) -> None:
    table.loc[[name]].rename_axis("gene").to_csv(path)


def _anndata(cells: np.ndarray, name: str, truth: LocalTruth, panel: np.ndarray) -> ad.AnnData:
    index = [str(row) for row in range(len(cells))]
    obs = pd.DataFrame({"gene": pd.Categorical([name] * len(cells))}, index=index)
    return ad.AnnData(cells, obs=obs, var=pd.DataFrame(index=[truth.genes[i] for i in panel]))
