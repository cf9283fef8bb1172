"""Looks for all that would make a push fail."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evaluation.local.places import was_trained_on
from evaluation.local.stages import Cost, run_infer
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

ASKED = 2_863, 10_238
"""Perturbations and genes of the competition."""
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
    """Whether there is a model, whole, and of the data at hand, or at least not of the demo."""
    path, data = submission / MODEL_DIRECTORY / MODEL_FILE, submission / "data"
    try:
        model = load_model(submission / MODEL_DIRECTORY)
        trained_on = f"{path} was trained on {model.training.description}"
        if (data / TRAINING_FILE).is_file() and was_trained_on(model, data):
            model.columns_of(read_names(data / GENES_FILE))
            yield Finding(FINE, f"{trained_on}: the data at hand.")
        elif (data / TRAINING_FILE).is_file():
            text = f"{trained_on}, other data than {data / TRAINING_FILE}. Train again."
            yield Finding(FAULT, text)
        elif was_trained_on(model, data / "demo"):
            text = f"{trained_on}: the demo. Run `crunch download` and train again."
            yield Finding(FAULT, text)
        else:
            text = f"{trained_on}. {data} holds no {TRAINING_FILE}, so whether it is of the "
            yield Finding(WARNING, f"{text}competition's data is not known.")
    except InputError as error:
        yield Finding(FAULT, str(error))


# A trial of infer() and the room for the full run


def trial_findings(submission: Path) -> Iterator[Finding]:
    """Infer more than one block of targets, check them, and tell what the full run takes."""
    model = load_model(submission / MODEL_DIRECTORY)
    data = submission / "data"
    with tempfile.TemporaryDirectory() as directory:
        prediction = Path(directory)
        try:
            perturbations, genes = asked_lists(data)
            genes = genes or model.training.genes.tolist()
            names = dict.fromkeys([*perturbations, *genes])  # nobody measured them, if possible
            new = [name for name in names if name not in model.training.n_cells.index] or [*names]
            new = new[:TRIAL_TARGETS]
            places = submission, data, submission / MODEL_DIRECTORY, prediction
            cost = run_infer(*places, new, genes)
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
    n_asked = (len(perturbations), len(genes)) if perturbations else ASKED
    yield from room_findings(submission, *n_asked, cost)


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
    written, free = f"{n_bytes / GIGABYTE:.2f} GB", available_memory()
    own = cost.peak_memory_bytes + (n_bytes if is_built_in_memory(n_bytes, free) else 0)
    takes = f"takes about {own / GIGABYTE:.2f} GB, and the client then reads {written} back"
    disk = shutil.disk_usage(submission).free
    for what, text, needed, here, there in (
        ("disk", f"writes {written} ({size})", n_bytes, disk, CLOUD_DISK),
        ("memory", takes, max(own, n_bytes), free, CLOUD_MEMORY),
    ):
        have = f"{here / GIGABYTE:.2f} GB are free here, {there / GIGABYTE:.0f} GB there, as told"
        level = FAULT if needed > there else WARNING if needed > here else FINE
        yield Finding(level, f"{what}: the full run {text}; {have}.")
