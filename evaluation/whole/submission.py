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
from perturbation.competition import CELLS_PER_PERTURBATION, GENES_FILE, PERTURBATIONS_FILE
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
    code, resources
        The files to run with, by their names in a copy.
    """

    name: str
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
    command = ["git", "-C", str(home / MODEL_DIRECTORY), "ls-files", "-z"]
    try:
        tracked = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"{home} is no git repository, so files of {MODEL_DIRECTORY}/ that know the held-out "
            "cannot be told from others. Run `git init && git add . && git commit -m start`."
        ) from error
    names = {name for name in tracked.split("\0") if Path(name).name != MODEL_FILE}
    return Submission(name, code, {n: path for n, path in model.items() if n in names})


def run_submission(box: Submission, data: Path, work: Path, scored: Sequence[str]) -> Answer:
    """Train and infer in processes of their own, each in a fresh copy; resources/ alone is moved.

    Parameters
    ----------
    box
        What to run.
    data
        The data directory that both calls are given; its lists say what infer() is asked for.
    work
        A directory to make, which the answer is read from.
    scored
        Genes to return the answer for.

    Raises
    ------
    InputError
        If a call fails, the platform would reject what was written, or an answer is wrong.
    """
    train, infer, prediction = work / "train", work / "infer", work / "prediction"
    asked, genes = read_names(data / PERTURBATIONS_FILE), read_names(data / GENES_FILE)
    prediction.mkdir(parents=True)
    for copy in (train, infer):
        _copied(box.code, copy)
    _copied(box.resources, train / MODEL_DIRECTORY)
    resources = infer / MODEL_DIRECTORY
    try:
        run_stage(train, "train", train_values(data, train / MODEL_DIRECTORY))
        shutil.move(train / MODEL_DIRECTORY, resources)
        shutil.rmtree(train)
        values = infer_values(data, resources, prediction, asked, genes)
        run_stage(infer, "infer", values)
    except InputError as error:
        raise InputError(f"{box.name}: {error}") from error
    if faults := check_prediction(prediction, asked, genes):
        raise InputError(f"{box.name}: the platform would reject this. " + " ".join(faults))
    cells, shares = written_answer(prediction, asked, scored)
    cells = checked_cells(cells, len(asked), (CELLS_PER_PERTURBATION, len(scored)))
    return cells, checked_proportions(shares, asked)


def _copied(files: dict[str, Path], into: Path) -> dict[str, Path]:
    """Copy files into a directory; return where they stand there."""
    copies = {name: into / name for name in files}
    into.mkdir(parents=True)
    for name, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[name], copy)
    return copies
