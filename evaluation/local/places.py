"""Where a run reads and writes: chosen, looked at before the work, and claimed while it lasts."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, PREDICTION_FILE, TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.errors import InputError
from perturbation.files import carry_along, check_writable
from perturbation.output.model_file import MODEL_FILE, Model, load_model

try:
    import fcntl
except ImportError:  # Windows: two runs at a time on one clone get in each other's way there
    fcntl = None  # type: ignore[assignment]

LOCAL_RUN = Path("data", "local_run")
"""Where the demo is trained and predicted: neither committed nor pushed."""


@dataclass(frozen=True)
class Places:
    """Directories of a run.

    Attributes
    ----------
    submission
        Holds main.py and `Method description.md`.
    data, model, prediction
        Read, written by train(), written by infer().
    """

    submission: Path
    data: Path
    model: Path
    prediction: Path


def choose_data(submission: Path, given: Path | None) -> tuple[Path, str]:
    """Return the data directory, and a sentence that says which it is and why."""
    if given is not None:
        if not given.is_dir():
            raise InputError(f"--data {given} is no directory; expected one with {TRAINING_FILE}.")
        return given, f"Data: {given}, as asked."
    own, demo = submission / "data", submission / "data" / "demo"
    for place, what in (
        (own, "the competition's files"),
        (demo, f"the embedded demo; {own} does not hold {TRAINING_FILE}"),
    ):
        if (place / TRAINING_FILE).is_file():
            return place, f"Data: {place}, {what}."
    raise InputError(f"Neither {own} nor {demo} holds {TRAINING_FILE}. Run `crunch download`.")


def choose_places(
    submission: Path, data: Path, model: Path | None, prediction: Path | None
) -> Places:
    """Keep what stands in resources/ and prediction/ for the competition's own data.

    Anything else, such as the demo, is trained and predicted under data/local_run/, which is
    neither committed nor pushed.
    """
    is_own = data.resolve() == (submission / "data").resolve()
    home = submission if is_own else submission / LOCAL_RUN
    model, prediction = model or home / "resources", prediction or home / "prediction"
    return Places(submission, data.resolve(), model.resolve(), prediction.resolve())


@contextmanager
def claimed(places: Places) -> Iterator[None]:
    """Keep other runs out of the model and prediction directories; wait for one that is there.

    The system ends the claim when the process ends, however that is; no file is left.
    """
    with ExitStack() as claims:
        for directory in sorted({places.model, places.prediction}):  # in one order for all runs
            if fcntl and directory.is_dir():
                number = os.open(directory, os.O_RDONLY)
                claims.callback(os.close, number)
                with suppress(OSError):  # a disk without locks
                    try:
                        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        print(f"Waiting for another run in {directory}.", flush=True)
                        fcntl.flock(number, fcntl.LOCK_EX)
        yield


def check_model(directory: Path, data: Path) -> None:
    """Refuse a model of other data, which may know what is held out here."""
    if not directory.is_dir():
        raise InputError(f"{directory} is no directory. Give --model one with {MODEL_FILE}.")
    if (directory / MODEL_FILE).is_file():
        model = load_model(directory)
        if not was_trained_on(model, data):
            raise InputError(
                f"{directory / MODEL_FILE} was trained on {model.training.description}, other "
                f"data than {data}. Train again, without --skip-train."
            )


def was_trained_on(model: Model, data: Path) -> bool:
    """Whether genes, knock-outs and their numbers of cells are those of a data directory."""
    if not (data / TRAINING_FILE).is_file():
        return False
    dataset = open_dataset(data)
    n_cells = pd.Series(dataset.labels).value_counts().drop(CONTROL_LABEL)
    return (
        np.array_equal(dataset.genes, model.training.genes)
        and n_cells.to_dict() == model.training.n_cells.to_dict()
    )


def put_resources(places: Places) -> None:
    """Copy what stands in resources/ beside the model, such as gene features, to another place.

    What a directory of the user's already holds stays.
    """
    home = (places.submission / "resources").resolve()
    if places.model == (places.submission / LOCAL_RUN / "resources").resolve():
        for file in places.model.glob("*"):
            if file.is_file() and file.name != MODEL_FILE:
                file.unlink()
    for file in home.glob("*") if places.model != home else ():
        if file.name != MODEL_FILE:
            carry_along(file, places.model)


def prepare(places: Places, *, trains: bool) -> None:
    """Make the directories to write to, or say before the work why one may not."""
    written = [places.prediction / PREDICTION_FILE, *[places.model / MODEL_FILE] * trains]
    for file in written:
        check_writable(file)
        file.parent.mkdir(parents=True, exist_ok=True)
