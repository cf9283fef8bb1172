"""Looks for all that would make a push fail."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evaluation.local.places import check_model, was_trained_on
from evaluation.local.stages import infer_values, run_stage
from evaluation.preflight.findings import FAULT, FINE, WARNING, Finding
from evaluation.preflight.imports import follow_imports
from evaluation.preflight.pushed_files import (
    MODEL_DIRECTORY,
    push_findings,
    pushed_files,
    requirement_findings,
)
from evaluation.reading import read_names
from evaluation.scoring.checks import check_method_description, check_prediction, unusable_values
from perturbation import competition
from perturbation.errors import InputError
from perturbation.output.model_file import MODEL_FILE, load_model
from perturbation.output.prediction_file import available_memory

TRIAL_TARGETS = 130
"""More than the 128 that are predicted at a time."""
ALL_TARGETS = 2_863
CLOUD_MEMORY, CLOUD_DISK = 64 * 10**9, 40 * 10**9
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
    for look in (model_findings, trial_findings):
        try:
            findings += look(submission)
        except InputError as error:
            findings.append(Finding(FAULT, str(error)))
            break
    return findings


def model_findings(submission: Path) -> list[Finding]:
    """Whether there is a model, whole, and of the data at hand, or at least not of the demo.

    Raises
    ------
    InputError
        If there is none, or it is of other data.
    """
    resources, data = submission / MODEL_DIRECTORY, submission / "data"
    model = load_model(resources)
    trained_on = f"{resources / MODEL_FILE} was trained on {model.training.description}"
    if (data / competition.TRAINING_FILE).is_file():
        check_model(resources, data)
        model.columns_of(read_names(data / competition.GENES_FILE))
        return [Finding(FINE, f"{trained_on}: the data at hand.")]
    if was_trained_on(model, data / "demo"):
        raise InputError(f"{trained_on}: the demo. Run `crunch download` and train again.")
    text = f"{trained_on}; whether it is the competition's is not known: {data} does not hold them."
    return [Finding(WARNING, text)]


def trial_findings(submission: Path) -> list[Finding]:
    """Infer more than one block of targets, check them, and tell what the full run takes.

    Raises
    ------
    InputError
        If infer() fails, or the platform would reject what it writes.
    """
    resources, data = submission / MODEL_DIRECTORY, submission / "data"
    training = load_model(resources).training
    targets = _names_in(data / competition.PERTURBATIONS_FILE)
    genes = _names_in(data / competition.GENES_FILE) or training.genes.tolist()
    names = dict.fromkeys([*targets, *genes])
    asked = [name for name in names if name not in training.n_cells.index][:TRIAL_TARGETS]
    with tempfile.TemporaryDirectory() as directory:
        prediction = Path(directory, "prediction")
        prediction.mkdir()
        values = infer_values(data, resources, prediction, asked, genes)
        cost = run_stage(submission, "infer", values)
        faults = check_prediction(prediction, asked, genes) or unusable_values(prediction)
    if faults:
        told = " ".join(faults).replace(f"{directory}/", "")  # it is gone by now
        raise InputError(f"infer() of {len(asked)} targets: {told}")
    valid = Finding(FINE, f"infer() of {len(asked)} targets is valid; it took {cost}.")
    shape = len(targets) or ALL_TARGETS, len(genes)
    return [valid, *room_findings(submission, shape, cost.peak_memory_bytes)]


def _names_in(path: Path) -> list[str]:
    return read_names(path) if path.is_file() else []


def room_findings(submission: Path, shape: tuple[int, int], peak_memory: int) -> Iterator[Finding]:
    """Disk and memory of the full run, against what there is here and what is told of the cloud.

    Parameters
    ----------
    shape
        Numbers of perturbations and of genes.
    peak_memory
        What infer() took, in bytes.
    """
    n_bytes = 4 * competition.CELLS_PER_PERTURBATION * shape[0] * shape[1]
    disk, memory = shutil.disk_usage(submission).free, available_memory()
    for what, needed, here, there in (
        ("disk", n_bytes, disk, CLOUD_DISK),
        ("memory", max(peak_memory, n_bytes), memory, CLOUD_MEMORY),  # the client reads it back
    ):
        level = FAULT if needed > there else WARNING if needed > here else FINE
        text = f"{what}: all {shape[0]:,} knock-outs of {shape[1]:,} genes take "
        text += f"{needed / 1e9:.2f} GB; {here / 1e9:.2f} GB are free here, {there / 1e9:.0f} GB "
        yield Finding(level, f"{text}there, as told.")
