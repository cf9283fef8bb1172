"""Do independent tasks one after the other, in processes, or on a Dask cluster."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from perturbation.errors import InputError
from perturbation.progress import progress

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

SUBMISSION = Path(__file__).resolve().parents[2]
SECONDS_TO_CONNECT = 20


@dataclass(frozen=True)
class Workers:
    """Where tasks run.

    Attributes
    ----------
    jobs
        Processes on this machine; 1 means this one.
    dask
        Address of a Dask scheduler, such as tcp://10.0.0.5:8786; it goes before `jobs`.
    """

    jobs: int = 1
    dask: str | None = None


def map_tasks(
    function: Callable[[Shared, Task], Result],
    shared: Shared,
    tasks: Sequence[Task],
    workers: Workers,
    what: str,
) -> Iterator[Result]:
    """Yield ``function(shared, task)`` of every task, in any order, with a progress bar.

    Parameters
    ----------
    function
        At the top of a module, so that other processes find it.
    shared
        Sent to every worker once.
    tasks
        Small things.
    workers
        Where to run.
    what
        Names the tasks in the progress bar.
    """
    if workers.dask:
        results = _on_dask(function, shared, tasks, workers.dask)
    elif workers.jobs > 1:
        results = _in_processes(function, shared, tasks, workers.jobs)
    else:
        results = (function(shared, task) for task in tasks)
    with progress(len(tasks), what, unit="task") as bar:
        for result in results:
            bar.update(1)
            yield result


def _in_processes(
    function: Callable[[Shared, Task], Result], shared: Shared, tasks: Sequence[Task], jobs: int
) -> Iterator[Result]:
    """Let joblib map large arrays of `shared` into every process instead of copying them."""
    import joblib

    call = joblib.delayed(function)
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    return pool(call(shared, task) for task in tasks)


def _on_dask(
    function: Callable[[Shared, Task], Result], shared: Shared, tasks: Sequence[Task], address: str
) -> Iterator[Result]:
    """Send the code and `shared` to scheduler and workers, which need no clone; then the tasks."""
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise InputError("--dask needs Dask: pip install distributed.") from error
    try:
        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except OSError as error:
        raise InputError(f"No Dask scheduler answers at {address} ({error}).") from error
    with client, tempfile.TemporaryDirectory() as directory:
        client.upload_file(str(_zipped_code(Path(directory))))
        sent = client.scatter(shared, broadcast=True)
        futures = [client.submit(function, sent, task, pure=False) for task in tasks]
        for future in as_completed(futures):
            yield future.result()


def _zipped_code(directory: Path) -> Path:
    """Pack the modules that tasks import, a predictor of one's own at the top included."""
    path = directory / "submission_code.zip"
    files = [*SUBMISSION.glob("*.py")]
    for package in ("perturbation", "evaluation"):
        files += (SUBMISSION / package).rglob("*.py")
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(SUBMISSION))
    return path
