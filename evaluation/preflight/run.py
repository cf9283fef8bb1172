"""Looks for all that would make a push fail."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evaluation.local.places import was_trained_on
from evaluation.local.stages import Cost, infer_values, run_stage
from evaluation.preflight.findings import FAULT, FINE, WARNING, Finding, has_fault
from evaluation.preflight.imports import follow_imports
from evaluation.preflight.pushed_files import MODEL_DIRECTORY, push_findings, pushed_files
from evaluation.preflight.requirements import requirement_findings
from evaluation.scoring.checks import check_method_description, check_prediction, unusable_values
from perturbation.competition import (
    CELLS_PER_PERTURBATION,
    GENES_FILE,
    PERTURBATIONS_FILE,
    TRAINING_FILE,
)
from perturbation.data.names import read_names
from perturbation.errors import InputError
from perturbation.output.model_file import MODEL_FILE, Model, load_model
from perturbation.output.prediction_file import available_memory, is_built_in_memory

ASKED_PERTURBATIONS, ASKED_GENES = 2_863, 10_238
TRIAL_TARGETS = 130
"""More than the 128 that are predicted at a time."""
GIGABYTE = 10**9
CLOUD_MEMORY, CLOUD_DISK = 64 * GIGABYTE, 40 * GIGABYTE
"""Told by others, unverified."""


def preflight(submission: Path) -> list[Finding]:
    """Look at all that decides whether a push will run; nothing is changed.

    Parameters
    ----------
    submission
        Directory of main.py.

    Returns
    -------
    Findings, in the order of the checks: method, requirements, what push sends, model, a trial of
    infer(), and the room that the full run needs.

    Raises
    ------
    InputError
        If crunch-cli is not installed.
    """
    code, model = pushed_files(submission)
    findings = list(method_findings(submission))
    try:
        packages, needed = follow_imports(submission / "main.py")
        findings += requirement_findings(code, packages)
    except InputError as error:
        findings.append(Finding(FAULT, str(error)))
        needed = set()
    findings += push_findings(submission, needed, code, model)
    about_model = list(model_findings(submission))
    trial = [] if has_fault(about_model) else trial_findings(submission)
    return [*findings, *about_model, *trial]


# Method description


def method_findings(submission: Path) -> Iterator[Finding]:
    """`Method description.md` as the platform checks it."""
    faults = check_method_description(submission)
    yield from (Finding(FAULT, fault) for fault in faults)
    if not faults:
        yield Finding(FINE, "`Method description.md` would be accepted.")


# Model


def model_findings(submission: Path) -> Iterator[Finding]:
    """Whether there is a model, whole, and of the data at hand."""
    path = submission / MODEL_DIRECTORY / MODEL_FILE
    try:
        model = load_model(submission / MODEL_DIRECTORY)
    except InputError as error:
        yield Finding(FAULT, str(error))
        return
    trained_on = f"{path} was trained on {model.training.description}"
    try:
        yield _data_finding(model, trained_on, submission / "data")
    except InputError as error:
        yield Finding(FAULT, str(error))


def _data_finding(model: Model, trained_on: str, data: Path) -> Finding:
    """Whether the model is of the data at hand, or at least not of the demo."""
    if not (data / TRAINING_FILE).is_file():
        if was_trained_on(model, data / "demo"):
            return Finding(FAULT, f"{trained_on}: the demo. Run `crunch download` and train again.")
        return Finding(
            WARNING,
            f"{trained_on}. {data} holds no {TRAINING_FILE}, so whether it is of the "
            "competition's data is not known.",
        )
    if not was_trained_on(model, data):
        return Finding(FAULT, f"{trained_on}, other data than {data / TRAINING_FILE}. Train again.")
    model.columns_of(read_names(data / GENES_FILE))
    return Finding(FINE, f"{trained_on}: the data at hand.")


# A trial of infer() and the room for the full run


def trial_findings(submission: Path) -> Iterator[Finding]:
    """Infer more than one block of targets, check them, and tell what the full run takes."""
    model = load_model(submission / MODEL_DIRECTORY)
    try:
        perturbations, genes = asked_lists(submission / "data")
    except InputError as error:
        yield Finding(FAULT, str(error))
        return
    genes = genes or model.training.genes.tolist()
    names = dict.fromkeys([*perturbations, *genes])  # targets that nobody measured, if any
    new = [name for name in names if name not in model.training.n_cells.index] or [*names]
    new = new[:TRIAL_TARGETS]
    with tempfile.TemporaryDirectory() as directory:
        prediction = Path(directory)
        places = submission / "data", submission / MODEL_DIRECTORY, prediction
        try:
            cost = run_stage(submission, "infer", infer_values(*places, new, genes))
        except InputError as error:
            yield Finding(FAULT, str(error))
            return
        faults = check_prediction(prediction, new, genes)
        faults += [] if faults else unusable_values(prediction)
    if faults:
        told = (fault.replace(f"{directory}/", "") for fault in faults)  # it is gone by now
        yield from (Finding(FAULT, f"infer() of {len(new)} targets: {fault}") for fault in told)
        return
    took = f"{cost.seconds:.1f} s, {cost.peak_memory_bytes / GIGABYTE:.2f} GB of memory"
    yield Finding(FINE, f"infer() of {len(new)} targets is valid; it took {took}.")
    if perturbations:
        yield from room_findings(submission, len(perturbations), len(genes), cost)
    else:
        yield from room_findings(submission, ASKED_PERTURBATIONS, ASKED_GENES, cost)


def asked_lists(data: Path) -> tuple[list[str], list[str]]:
    """Perturbations and genes that the data directory asks for; empty if it holds no lists."""
    paths = data / PERTURBATIONS_FILE, data / GENES_FILE
    perturbations, genes = ([*read_names(path)] if path.is_file() else [] for path in paths)
    return perturbations, genes


def room_findings(
    submission: Path, n_perturbations: int, n_genes: int, cost: Cost
) -> Iterator[Finding]:
    """Disk and memory of the full run, against what there is here and what is told of the cloud."""
    n_bytes = 4 * CELLS_PER_PERTURBATION * n_perturbations * n_genes
    size = f"{n_perturbations:,} perturbations x {CELLS_PER_PERTURBATION} cells x {n_genes:,} genes"
    free = shutil.disk_usage(submission).free
    yield _room(
        "disk",
        f"the full run writes {n_bytes / GIGABYTE:.2f} GB ({size})",
        n_bytes,
        free,
        CLOUD_DISK,
    )
    available = available_memory()
    own = cost.peak_memory_bytes + (n_bytes if is_built_in_memory(n_bytes, available) else 0)
    text = (
        f"the full run takes about {own / GIGABYTE:.2f} GB, and the client then reads "
        f"{n_bytes / GIGABYTE:.2f} GB back"
    )
    yield _room("memory", text, max(own, n_bytes), available, CLOUD_MEMORY)


def _room(what: str, text: str, needed: int, here: int, there: int) -> Finding:
    have = f"{here / GIGABYTE:.2f} GB are free here, {there / GIGABYTE:.0f} GB there, as told"
    level = FAULT if needed > there else WARNING if needed > here else FINE
    return Finding(level, f"{what}: {text}; {have}.")
