"""A submission as the platform gets it: run in a copy of what push sends, judged by its files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluation.local.answers import written_answer as prediction_in
from evaluation.local.stages import Cost, infer_values, run_stage, train_values
from evaluation.preflight.pushed_files import MODEL_DIRECTORY, pushed_files
from evaluation.reading import read_names
from evaluation.scoring.checks import check_prediction
from perturbation.competition import CELLS_PER_PERTURBATION, GENES_FILE
from perturbation.errors import InputError, reason
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

    def taken(self, into: Path) -> Submission:
        """The same as it is now, copied: whoever goes on writing does not change what is judged."""
        copies = []
        for kind, files in (("code", self.code), (MODEL_DIRECTORY, self.resources)):
            _copy_files(files, into / kind)
            copies.append({name: into / kind / name for name in files})
        return Submission(self.name, self.home, *copies)


def find_submission(name: str, home: Path) -> Submission:
    """List what push would send of a directory; of resources/ what git tracks, and no model.

    Raises
    ------
    InputError
        If there is no main.py, crunch-cli is missing, or it is no git repository.
    """
    if not (home / "main.py").is_file():
        raise InputError(f"{home} has no main.py. Give the directory of a submission.")
    try:
        code, model = pushed_files(home)
    except (ImportError, TypeError) as error:
        raise InputError(
            f"What push would send is not known: crunch-cli is missing or changed "
            f"({reason(error)}). Run `pip install crunch-cli`."
        ) from error
    code.pop(".git", None)  # of a git worktree: a file, which the client does not know
    tracked = _tracked(home)
    kept = {n: path for n, path in model.items() if n in tracked and Path(n).name != MODEL_FILE}
    return Submission(name, home, code, kept)


def _tracked(home: Path) -> set[str]:
    """Names of the files in resources/ that git tracks."""
    command = ["git", "-C", str(home / MODEL_DIRECTORY), "ls-files", "-z"]
    try:
        found = subprocess.run(command, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"{home} is no git repository, so files of {MODEL_DIRECTORY}/ that know the held-out "
            "cannot be told from others. Run `git init && git add . && git commit -m start`."
        ) from error
    return set(found.stdout.split("\0"))


def run_submission(
    submission: Submission, data: Path, work: Path, perturbations: Sequence[str]
) -> tuple[Cost, Cost]:
    """Train and infer in processes of their own, each in a copy that stands at the same place.

    Of the first copy only resources/ reaches the second; `work` / "prediction" gets the answer.

    Raises
    ------
    InputError
        If a call fails, or the platform would reject what was written.
    """
    copy, kept, prediction = work / "submission", work / "kept", work / "prediction"
    resources, genes = copy / MODEL_DIRECTORY, read_names(data / GENES_FILE)
    prediction.mkdir(parents=True)
    _copy_files(submission.resources, kept)

    def call(name: str, values: dict[str, Any]) -> Cost:
        _copy_files(submission.code, copy)
        shutil.move(kept, resources)
        try:
            cost = run_stage(copy, name, values)
        except InputError as error:
            raise InputError(f"{submission.name}: {error}") from error
        shutil.move(resources, kept)
        shutil.rmtree(copy)
        return cost

    asked = infer_values(data, resources, prediction, perturbations, genes)
    costs = call("train", train_values(data, resources)), call("infer", asked)
    if faults := check_prediction(prediction, perturbations, genes):
        raise InputError(f"{submission.name}: the platform would reject this. " + " ".join(faults))
    return costs


def _copy_files(files: dict[str, Path], into: Path) -> None:
    into.mkdir(parents=True)
    for name, path in files.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, into / name)


def written_answer(
    work: Path, perturbations: Sequence[str], genes: list[str]
) -> tuple[Iterator[np.ndarray], pd.DataFrame]:
    """Return what `run_submission` left, checked as every answer is.

    Returns
    -------
    cells
        Yields (100, len(genes)) for each perturbation, log2(1 + counts per 100,000).
    proportions
        (len(perturbations), 4).
    """
    cells, shares = prediction_in(work / "prediction", perturbations, genes)
    shape = (CELLS_PER_PERTURBATION, len(genes))
    return (
        checked_cells(cells, len(perturbations), shape),
        checked_proportions(shares, perturbations),
    )
