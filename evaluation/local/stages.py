"""Runs train() or infer() as the platform does: each alone in a process, arguments by name."""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from perturbation.competition import PREDICTED_PROPORTIONS_FILE, PREDICTION_FILE
from perturbation.errors import InputError


@dataclass(frozen=True)
class Cost:
    """What a stage took."""

    seconds: float
    peak_memory_bytes: int


def run_stage(submission: Path, name: str, values: Mapping[str, Any]) -> Cost:
    """Call ``main.py``'s function `name` in a new process and measure it.

    Parameters
    ----------
    submission
        Directory of main.py; it is the working directory of the call.
    name
        "train" or "infer".
    values
        Arguments by name; a parameter with a default keeps it, an unknown one gets None.

    Raises
    ------
    InputError
        If the function raised one, or the process was killed.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        try:
            return process.submit(_measured_call, submission, name, dict(values)).result()
        except BrokenProcessPool as error:
            raise InputError(
                f"{name}() was killed: most likely it ran out of memory "
                f"({psutil.virtual_memory().available / 1e9:.1f} GB are free now)."
            ) from error


def infer_values(
    data: Path, model: Path, prediction: Path, perturbations: Sequence[str], genes: Sequence[str]
) -> dict[str, Any]:
    """Return the arguments of infer() by name; the last two are what it is asked for."""
    return {
        "data_directory_path": str(data),
        "prediction_directory_path": str(prediction),
        "prediction_h5ad_file_path": str(prediction / PREDICTION_FILE),
        "program_proportion_csv_file_path": str(prediction / PREDICTED_PROPORTIONS_FILE),
        "model_directory_path": str(model),
        "predict_perturbations": perturbations,
        "genes_to_predict": genes,
    }


def _measured_call(submission: Path, name: str, values: dict[str, Any]) -> Cost:
    os.chdir(submission)
    sys.path.insert(0, str(submission))
    start = time.perf_counter()
    call_by_name(getattr(importlib.import_module("main"), name), values)
    return Cost(time.perf_counter() - start, _peak_memory())


def call_by_name(function: Callable[..., None], values: Mapping[str, Any]) -> None:
    """Pass each parameter without a default its value by name, None if there is none."""
    parameters = inspect.signature(function).parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty]
    function(**{name: values.get(name) for name in wanted})


def _peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
