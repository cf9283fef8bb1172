"""A submission as the platform gets it: run in a copy of what push sends, judged by its files."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from evaluation.local.answers import Answer, written_answer
from evaluation.local.stages import infer_values, run_stage, train_values
from evaluation.preflight.pushed_files import MODEL_DIRECTORY, pushed_files
from evaluation.reading import read_names
from evaluation.scoring.checks import check_prediction
from perturbation.competition import CELLS_PER_PERTURBATION, GENES_FILE
from perturbation.errors import InputError
from perturbation.model.parts import checked_cells, checked_proportions
from perturbation.output.model_file import MODEL_FILE


@dataclass(frozen=True)
class Submission:
    """Code and resources of a submission.

    Attributes
    ----------
    name
        As it stands in tables.
    home
        Its directory.
    code, resources
        The files to run with, by their names in a copy.
    """

    name: str
    home: Path
    code: dict[str, Path]
    resources: dict[str, Path]

    @property
    def words(self) -> str:
        """What runs, and what is carried over from resources/."""
        carried = ", ".join(self.resources) or "nothing"
        return f"{len(self.code)} files that push sends; of {MODEL_DIRECTORY}/: {carried}"

    def taken(self, into: Path) -> Self:
        """The same as it is now, copied: whoever goes on writing does not change what is judged."""
        code = _copied(self.code, into / "code")
        return replace(self, code=code, resources=_copied(self.resources, into / MODEL_DIRECTORY))


def find_submission(name: str, home: Path) -> Submission:
    """List what push would send of a directory; of resources/ what git tracks, and no model.

    Raises
    ------
    InputError
        If there is no main.py, crunch-cli is missing, or it is no git repository.
    """
    if not (home / "main.py").is_file():
        raise InputError(f"{home} has no main.py. Give the directory of a submission.")
    code, model = pushed_files(home)
    code.pop(".git", None)  # of a git worktree: a file, which the client does not know
    command = ["git", "-C", str(home / MODEL_DIRECTORY), "ls-files", "-z"]
    try:
        tracked = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"{home} is no git repository, so files of {MODEL_DIRECTORY}/ that know the held-out "
            "cannot be told from others. Run `git init && git add . && git commit -m start`."
        ) from error
    names = {name for name in tracked.split("\0") if Path(name).name != MODEL_FILE}
    return Submission(name, home, code, {n: path for n, path in model.items() if n in names})


def run_submission(
    submission: Submission, data: Path, work: Path, perturbations: Sequence[str]
) -> None:
    """Train and infer in processes of their own, each in a fresh copy; resources/ alone is moved.

    Parameters
    ----------
    submission
        What to run.
    data
        The data directory that both calls are given.
    work
        A directory to make; its "prediction" gets the answer.
    perturbations
        What infer() is asked for.

    Raises
    ------
    InputError
        If a call fails, or the platform would reject what was written.
    """
    train, infer, prediction = work / "train", work / "infer", work / "prediction"
    genes = read_names(data / GENES_FILE)
    prediction.mkdir(parents=True)
    for copy in (train, infer):
        _copied(submission.code, copy)
    _copied(submission.resources, train / MODEL_DIRECTORY)
    resources = infer / MODEL_DIRECTORY
    try:
        run_stage(train, "train", train_values(data, train / MODEL_DIRECTORY))
        shutil.move(train / MODEL_DIRECTORY, resources)
        shutil.rmtree(train)
        asked = infer_values(data, resources, prediction, perturbations, genes)
        run_stage(infer, "infer", asked)
    except InputError as error:
        raise InputError(f"{submission.name}: {error}") from error
    if faults := check_prediction(prediction, perturbations, genes):
        raise InputError(f"{submission.name}: the platform would reject this. " + " ".join(faults))


def _copied(files: dict[str, Path], into: Path) -> dict[str, Path]:
    """Copy files into a directory; return where they stand there."""
    copies = {name: into / name for name in files}
    into.mkdir(parents=True)
    for name, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[name], copy)
    return copies


def checked_answer(work: Path, perturbations: Sequence[str], genes: Sequence[str]) -> Answer:
    """Return what `run_submission` left, these genes of it, checked as every answer is."""
    cells, shares = written_answer(work / "prediction", perturbations, genes)
    shape = (CELLS_PER_PERTURBATION, len(genes))
    checked = checked_cells(cells, len(perturbations), shape)
    return checked, checked_proportions(shares, perturbations)
