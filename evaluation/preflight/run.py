"""Looks for all that would make a push fail."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evaluation.local.places import check_model, was_trained_on
from evaluation.local.stages import Cost, infer_values, run_stage
from evaluation.preflight.findings import FAULT, FINE, WARNING, Finding, has_fault
from evaluation.preflight.imports import follow_imports
from evaluation.preflight.pushed_files import MODEL_DIRECTORY, push_findings, pushed_files
from evaluation.preflight.requirements import requirement_findings
from evaluation.reading import read_names
from evaluation.scoring.checks import check_method_description, check_prediction, unusable_values
from perturbation.competition import (
    CELLS_PER_PERTURBATION,
    GENES_FILE,
    PERTURBATIONS_FILE,
    TRAINING_FILE,
)
from perturbation.errors import InputError
from perturbation.output.model_file import MODEL_FILE, load_model
from perturbation.output.prediction_file import available_memory, is_built_in_memory

TRIAL_TARGETS = 130
"""More than the 128 that are predicted at a time."""
ALL_TARGETS = 2_863
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
    findings = [Finding(FAULT, fault) for fault in check_method_description(submission)]
    if not findings:
        findings.append(Finding(FINE, "`Method description.md` would be accepted."))
    needed: set[Path] = set()
    try:
        packages, needed = follow_imports(submission / "main.py")
        findings += requirement_findings(code, packages)
    except InputError as error:
        findings.append(Finding(FAULT, str(error)))
    findings += push_findings(submission, needed, code, model)
    about_model = list(model_findings(submission))
    trial = [] if has_fault(about_model) else trial_findings(submission)
    return [*findings, *about_model, *trial]


def model_findings(submission: Path) -> Iterator[Finding]:
    """Whether there is a model, whole, and of the data at hand, or at least not of the demo."""
    resources, data = submission / MODEL_DIRECTORY, submission / "data"
    try:
        model = load_model(resources)
        trained_on = f"{resources / MODEL_FILE} was trained on {model.training.description}"
        if (data / TRAINING_FILE).is_file():
            check_model(resources, data)
            model.columns_of(read_names(data / GENES_FILE))
            yield Finding(FINE, f"{trained_on}: the data at hand.")
        elif was_trained_on(model, data / "demo"):
            text = f"{trained_on}: the demo. Run `crunch download` and train again."
            yield Finding(FAULT, text)
        else:
            text = f"{trained_on}. {data} holds no {TRAINING_FILE}, so whether it is of the "
            yield Finding(WARNING, f"{text}competition's data is not known.")
    except InputError as error:
        yield Finding(FAULT, str(error))


def trial_findings(submission: Path) -> Iterator[Finding]:
    """Infer more than one block of targets, check them, and tell what the full run takes."""
    resources, data = submission / MODEL_DIRECTORY, submission / "data"
    training = load_model(resources).training
    with tempfile.TemporaryDirectory() as directory:
        prediction = Path(directory)
        try:
            targets = _names_in(data / PERTURBATIONS_FILE)
            genes = _names_in(data / GENES_FILE) or training.genes.tolist()
            names = dict.fromkeys([*targets, *genes])
            asked = [name for name in names if name not in training.n_cells.index][:TRIAL_TARGETS]
            values = infer_values(data, resources, prediction, asked, genes)
            cost = run_stage(submission, "infer", values)
        except InputError as error:
            yield Finding(FAULT, str(error))
            return
        faults = check_prediction(prediction, asked, genes) or unusable_values(prediction)
    for fault in faults:
        told = fault.replace(f"{directory}/", "")  # it is gone by now
        yield Finding(FAULT, f"infer() of {len(asked)} targets: {told}")
    if not faults:
        took = f"{cost.seconds:.1f} s, {cost.peak_memory_bytes / GIGABYTE:.2f} GB of memory"
        yield Finding(FINE, f"infer() of {len(asked)} targets is valid; it took {took}.")
        yield from room_findings(submission, len(targets) or ALL_TARGETS, len(genes), cost)


def _names_in(path: Path) -> list[str]:
    return read_names(path) if path.is_file() else []


def room_findings(
    submission: Path, n_perturbations: int, n_genes: int, cost: Cost
) -> Iterator[Finding]:
    """Disk and memory of the full run, against what there is here and what is told of the cloud."""
    n_bytes = 4 * CELLS_PER_PERTURBATION * n_perturbations * n_genes
    free = available_memory()
    own = cost.peak_memory_bytes + (n_bytes if is_built_in_memory(n_bytes, free) else 0)
    shape = (
        f"{n_perturbations:,} perturbations x {CELLS_PER_PERTURBATION} cells x {n_genes:,} genes"
    )
    for what, needed, here, there in (
        ("disk", n_bytes, shutil.disk_usage(submission).free, CLOUD_DISK),
        ("memory, as the client reads it all back", max(own, n_bytes), free, CLOUD_MEMORY),
    ):
        level = FAULT if needed > there else WARNING if needed > here else FINE
        yield Finding(
            level,
            f"{what}: the full run of {shape} takes {needed / GIGABYTE:.2f} GB; "
            f"{here / GIGABYTE:.2f} GB are free here, {there / GIGABYTE:.0f} GB there, as told.",
        )
