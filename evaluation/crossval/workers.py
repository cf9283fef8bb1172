"""Do independent tasks one after the other, in processes, or on a Dask cluster: joblib's work."""

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import joblib

from evaluation.command import HOME
from evaluation.local.stage_process import describe_failure
from perturbation.errors import InputError
from perturbation.progress import progress

Result = TypeVar("Result")

SECONDS_TO_CONNECT = 20


def map_tasks(
    function: Callable[..., Result],
    shared: object,
    tasks: Sequence[object],
    workers: int | str,
    what: str,
) -> Iterator[Result]:
    """Yield ``function(shared, task)`` of every task, in any order, with a progress bar.

    Parameters
    ----------
    function
        At the top of a module, so that other processes find it.
    shared
        Sent to every worker of a cluster once; processes of this machine map its large arrays.
    tasks
        Small things.
    workers
        Processes on this machine, 1 for this one alone, or the address of a Dask scheduler, such
        as tcp://10.0.0.5:8786.
    what
        Names the tasks in the progress bar.

    Raises
    ------
    InputError
        If a task fails, in the words of its error, or if there is no cluster at the address.
    """
    call = joblib.delayed(_tell_failure)
    place = _dask_cluster(workers, shared) if isinstance(workers, str) else nullcontext()
    jobs = workers if isinstance(workers, int) else -1
    with place, progress(len(tasks), what, unit="task") as bar:
        pool = joblib.Parallel(jobs, return_as="generator_unordered")
        for result in pool(call(function, shared, task) for task in tasks):
            bar.update(1)
            yield result


def _tell_failure(function: Callable[..., Result], shared: object, task: object) -> Result:
    try:
        return function(shared, task)
    except Exception as error:  # of a user's part, as a rule
        what = f"{function.__name__}() failed"
        # the words alone: the error itself may not travel between processes
        raise InputError(describe_failure(error, what, str(HOME))) from None


@contextmanager
def _dask_cluster(address: str, shared: object) -> Iterator[None]:
    """Run tasks there; its workers are sent `shared`, and the code: they need no clone."""
    try:
        from distributed import Client

        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except ImportError as error:
        raise InputError("--dask needs Dask: pip install distributed.") from error
    except OSError as error:
        raise InputError(f"No Dask scheduler answers at {address} ({error}).") from error
    with client, tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "submission_code.zip")
        with zipfile.ZipFile(path, "w") as archive:
            # a predictor of one's own stands at the top
            for pattern in ("*.py", "perturbation/**/*.py", "evaluation/**/*.py"):
                for file in HOME.glob(pattern):
                    archive.write(file, file.relative_to(HOME))
        client.upload_file(str(path))
        with joblib.parallel_config("dask", client=client, scatter=[shared]):
            yield
