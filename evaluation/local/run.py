"""The default run of local_test.py: train, infer, check, score, compare with a constant."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from evaluation.local import answers
from evaluation.local.places import Places, check_model, claimed, prepare, put_resources
from evaluation.local.stages import Cost, infer_values, run_stage, train_values
from evaluation.scoring.checks import check_method_description, check_prediction, unusable_values
from evaluation.scoring.metrics import METRICS, NO_CORRELATION
from evaluation.scoring.panels import Panel, describe_panels, draw_panels, sample_training_cells
from evaluation.scoring.platform import Scorer, platform_scorer
from evaluation.tables import aligned
from perturbation.competition import PREDICTED_PROPORTIONS_FILE, PREDICTION_FILE
from perturbation.data.names import listed

PANEL_SEED = 0


def run(
    places: Places, panel: Panel, scorer: str | None, *, trains: bool, infers: bool
) -> dict[str, Any]:
    """Test a submission against the organisers' local ground truth.

    Parameters
    ----------
    panel
        See `evaluation.scoring.panels.draw_panels`.
    scorer
        "platform" or, for the project's own, anything else.
    trains, infers
        What to do before the prediction is checked and scored.

    Returns
    -------
    What local_test.py writes to its JSON file: data, stages (what each took), faults, warnings,
    panel, scorer and scores, of which there are none if the prediction is not valid.
    """
    score: Scorer = answers.score_answer
    scored_by = "scored by evaluation/scoring/metrics.py"
    if scorer == "platform":
        score, scored_by = platform_scorer()
    truth = answers.read_local_truth(places.data)
    scored = np.arange(len(truth.genes))
    cells = sample_training_cells(places.data, truth.genes)
    panels = draw_panels(cells, scored, panel, np.random.default_rng(PANEL_SEED))
    if infers:
        prepare(places, trains=trains)
    with claimed(places):
        stages = run_stages(places, truth, trains=trains) if infers else {}
        faults = check_prediction(places.prediction, truth.perturbations, truth.genes)
        warnings, scores = [], {}
        if not faults:
            asked = truth.perturbations, truth.genes
            ours = score(truth, answers.written_answer(places.prediction, *asked), panels)
            constant = score(truth, answers.constant_answer(truth), panels)
            scores = {"your_prediction": _summed_up(ours), "control_centroid": _summed_up(constant)}
            warnings = unusable_values(places.prediction) + _odd_scores(ours)
    return {
        "data": str(places.data),
        "stages": {name: asdict(cost) for name, cost in stages.items()},
        "faults": faults + check_method_description(places.submission),
        "warnings": warnings,
        "panel": describe_panels(len(scored), *panel),
        "scorer": scored_by,
        "scores": scores,
    }


def run_stages(places: Places, truth: answers.LocalTruth, *, trains: bool) -> dict[str, Cost]:
    """Train if asked, then infer the local ground truth's perturbations."""
    if not trains:
        check_model(places.model, places.data)
    put_resources(places)
    costs = {}
    read = places.data, places.model
    if trains:
        costs["train"] = run_stage(places.submission, "train", train_values(*read))
    for name in (PREDICTION_FILE, PREDICTED_PROPORTIONS_FILE):
        (places.prediction / name).unlink(missing_ok=True)
    values = infer_values(*read, places.prediction, truth.perturbations, truth.genes)
    return costs | {"infer": run_stage(places.submission, "infer", values)}


def _summed_up(scores: pd.DataFrame) -> dict[str, Any]:
    """Mean and standard error of each metric, NaN where one of its scores is, and all scores."""
    return {
        "mean": scores.mean(skipna=False).to_dict(),
        "standard_error": scores.sem(skipna=False).to_dict(),
        "perturbations": scores.to_dict(orient="index"),
    }


def _odd_scores(scores: pd.DataFrame) -> list[str]:
    """Name the knock-outs that hide in a mean or spoil it."""
    told = []
    if zero := listed(scores.index[scores["pearson_delta"] == 0]):
        told.append(f"Pearson delta of {zero} is 0 by definition: {NO_CORRELATION}.")
    if spoilt := listed(scores.index[scores.isna().any(axis=1)]):
        told.append(
            f"Scores of {spoilt} are NaN, so their means are: the prediction holds NaN or, for the "
            "platform's module, is constant."
        )
    return told


def describe(result: dict[str, Any]) -> str:
    """Return what `run` found as text: costs, faults, scores."""
    lines = [f"{name}: {Cost(**cost)}" for name, cost in result["stages"].items()]
    lines += [f"REJECTED: {fault}" for fault in result["faults"]]
    lines += [f"Warning: {warning}" for warning in result["warnings"]]
    if not result["faults"]:
        lines.append("The platform would accept this submission.")
    if result["scores"]:
        rows = []
        for name, of in result["scores"].items():
            cells = [f"{of['mean'][m]:.4f} ± {of['standard_error'][m]:.4f}" for m in METRICS]
            rows.append([name.replace("_", " "), *cells])
        n = len(of["perturbations"])
        lines += [
            "",
            f"{n} held-out knock-outs; {result['panel']}; {result['scorer']}.",
            "Mean ± standard error. Pearson delta: higher is better; MMD and L1: lower.",
            aligned(["", "Pearson delta", "MMD", "L1"], rows),
            "control centroid: the organisers' constant, 100 equal rows, columns in right order.",
            f"{n} knock-outs say little: run with --cv 5 before you believe a difference.",
        ]
    return "\n".join(lines)
