"""The default run of local_test.py: train, infer, check, score, compare with a constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.local.answers import Answer, constant_answer, score_answer, written_answer
from evaluation.local.places import Places, check_model, put_resources
from evaluation.local.stages import Cost, run_infer, run_train
from evaluation.local.truth import LocalTruth
from evaluation.scoring.checks import check_method_description, check_prediction, unusable_values
from evaluation.scoring.metrics import METRICS, NO_CORRELATION
from evaluation.scoring.panels import describe_panels, draw_panels, sample_training_cells
from evaluation.scoring.platform import load_platform_scorer, score_by_platform
from evaluation.tables import aligned
from perturbation.competition import PREDICTED_PROPORTIONS_FILE, PREDICTION_FILE
from perturbation.data.names import listed

PANEL_SEED = 0
Panels = tuple[list[np.ndarray], str]
"""Panels, and words that describe them."""
Scorer = Callable[[LocalTruth, Answer, list[np.ndarray]], pd.DataFrame]


@dataclass(frozen=True)
class LocalRun:
    """What a run found; all of it goes into the JSON file."""

    places: Places
    stages: dict[str, Cost]
    faults: list[str]
    warnings: list[str] = field(default_factory=list)
    panel: str = ""
    scorer: str = ""
    scores: dict[str, pd.DataFrame] = field(default_factory=dict)


def run_stages(places: Places, truth: LocalTruth, *, skip_train: bool) -> dict[str, Cost]:
    """Train unless it is to be skipped, then infer the local ground truth's perturbations."""
    costs = {}
    if skip_train:
        check_model(places.model, places.data)
    put_resources(places)
    if not skip_train:
        costs["train"] = run_train(places.submission, places.data, places.model)
    places.prediction.mkdir(parents=True, exist_ok=True)
    for name in (PREDICTION_FILE, PREDICTED_PROPORTIONS_FILE):
        (places.prediction / name).unlink(missing_ok=True)
    read = places.submission, places.data, places.model
    costs["infer"] = run_infer(*read, places.prediction, truth.perturbations, truth.genes)
    return costs


def local_panels(data: Path, truth: LocalTruth, kind: str, n_genes: int, n_draws: int) -> Panels:
    """Draw panels as positions in ``truth.genes``; variable is said of training cells alone."""
    if len(truth.genes) <= n_genes:
        panels = [np.arange(len(truth.genes))]
    else:
        cells = sample_training_cells(data, truth.genes)
        rng = np.random.default_rng(PANEL_SEED)
        panels = draw_panels(cells, np.arange(len(truth.genes)), kind, n_genes, n_draws, rng)
    return panels, describe_panels(len(truth.genes), kind, n_genes, n_draws)


def choose_scorer(name: str | None) -> tuple[Scorer, str]:
    """Return the function that scores an answer, and words that say which it is."""
    if name == "platform":
        module, source = load_platform_scorer()
        return partial(score_by_platform, module), f"scored by the platform's module, {source}"
    return score_answer, "scored by evaluation/scoring/metrics.py"


def check_and_score(
    places: Places,
    truth: LocalTruth,
    stages: dict[str, Cost],
    panels: Panels,
    scorer: tuple[Scorer, str],
) -> LocalRun:
    """Check the prediction as the platform does; if it is readable, score it and the constant.

    Parameters
    ----------
    panels
        From `local_panels`.
    scorer
        From `choose_scorer`.
    """
    faults = check_prediction(places.prediction, truth.perturbations, truth.genes)
    method_faults = check_method_description(places.submission)
    run = LocalRun(places, stages, faults + method_faults, panel=panels[1], scorer=scorer[1])
    if faults:
        return run
    run.warnings.extend(unusable_values(places.prediction))
    answers = {
        "your prediction": written_answer(places.prediction, truth.genes),
        "control centroid": constant_answer(truth),
    }
    run.scores.update({name: scorer[0](truth, a, panels[0]) for name, a in answers.items()})
    run.warnings.extend(_odd_scores(run.scores["your prediction"]))
    return run


def _odd_scores(scores: pd.DataFrame) -> list[str]:
    """Name the knock-outs that hide in a mean or spoil it."""
    told = []
    if zero := listed(scores.index[~scores["has_direction"]]):
        told.append(f"Pearson delta of {zero} is 0 by definition: {NO_CORRELATION}.")
    if spoilt := listed(scores.index[scores[list(METRICS)].isna().any(axis=1)]):
        told.append(f"Scores of {spoilt} are NaN, so their means are: the prediction holds NaN.")
    return told


def describe(run: LocalRun) -> str:
    """Return the run as text: costs, faults, scores."""
    lines = [
        f"{name}: {cost.seconds:.1f} s, peak memory {cost.peak_memory_bytes / 1e9:.2f} GB"
        for name, cost in run.stages.items()
    ]
    lines += [f"REJECTED: {fault}" for fault in run.faults]
    lines += [f"Warning: {warning}" for warning in run.warnings]
    if not run.faults:
        lines.append("The platform would accept this submission.")
    if run.scores:
        rows = [[name, *_cells(scores)] for name, scores in run.scores.items()]
        n = len(run.scores["your prediction"])
        lines += [
            "",
            f"{n} held-out knock-outs; {run.panel}; {run.scorer}.",
            "Mean ± standard error. Pearson delta: higher is better; MMD and L1: lower.",
            aligned(["", "Pearson delta", "MMD", "L1"], rows),
            "control centroid: the organisers' constant, 100 equal rows, columns in right order.",
            f"{n} knock-outs say little: run with --cv 5 before you believe a difference.",
        ]
    return "\n".join(lines)


def _cells(scores: pd.DataFrame) -> list[str]:
    mean, error = _mean_and_error(scores)
    return [f"{mean[m]:.4f} ± {error[m]:.4f}" for m in METRICS]


def _mean_and_error(scores: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and standard error of each metric; NaN where one of its scores is."""
    values = scores[list(METRICS)]
    mean, error = values.mean(skipna=False), values.sem(skipna=False)
    return {m: float(mean[m]) for m in METRICS}, {m: float(error[m]) for m in METRICS}


def as_json(run: LocalRun) -> dict[str, object]:
    """Return every number, under keys that stay."""
    return {
        "data": str(run.places.data),
        "stages": {name: asdict(cost) for name, cost in run.stages.items()},
        "faults": run.faults,
        "warnings": run.warnings,
        "panel": run.panel,
        "scorer": run.scorer,
        "scores": {
            name.replace(" ", "_"): {
                **dict(zip(("mean", "standard_error"), _mean_and_error(scores), strict=True)),
                "perturbations": scores.to_dict(orient="index"),
            }
            for name, scores in run.scores.items()
        },
    }
