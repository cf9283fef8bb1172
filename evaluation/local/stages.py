"""Runs train() or infer() as the platform does: each alone in a process, arguments by name."""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from evaluation.local import stage_process
from perturbation.competition import PREDICTED_PROPORTIONS_FILE, PREDICTION_FILE
from perturbation.errors import InputError

NEAR_THE_LIMIT = 0.8
"""Share of the memory there is from which a SIGKILL is laid to its want."""


@dataclass(frozen=True)
class Cost:
    """What a stage took, the start of its process included."""

    seconds: float
    peak_memory_bytes: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, peak memory {self.peak_memory_bytes / 1e9:.2f} GB"


def run_stage(submission: Path, name: str, values: Mapping[str, Any]) -> Cost:
    """Call ``main.py``'s function `name` in a new process and measure it.

    Parameters
    ----------
    submission
        Directory of main.py; it is the working directory of the call.
    name
        "train" or "infer".
    values
        Arguments by name, as JSON holds them; a parameter with a default keeps it, an unknown one
        gets None.

    Raises
    ------
    InputError
        If the function raised anything, ended the program, or was killed; the message holds the
        user's own error and its place.
    """
    start, oom_kills = time.perf_counter(), count_oom_kills()
    call = {"submission": str(submission.resolve()), "name": name, "values": dict(values)}
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "report")
        command: list[str | Path] = [sys.executable, "-P", stage_process.__file__, report]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:  # noqa: S603, our own
            try:
                with suppress(BrokenPipeError):  # it died at once; its status says more
                    print(json.dumps(call), file=process.stdin, flush=True)
                peak = _wait(process)
            finally:
                process.communicate()  # after Ctrl-C: ends its standard input, and so the stage
        text = report.read_text("utf-8", errors="replace") if report.exists() else ""
    if text == stage_process.RETURNED and process.returncode == 0:
        return Cost(time.perf_counter() - start, peak)
    if text in ("", stage_process.RETURNED) or text.startswith("Fatal Python error"):
        text = f"{name}() failed: {_sudden_end(process.returncode, text, peak, oom_kills)}"
    raise InputError(text)


def _wait(process: subprocess.Popen[str]) -> int:
    """Wait for the end; return the largest resident memory that was seen, in bytes."""
    peak = 0
    while process.poll() is None:
        with suppress(psutil.Error):
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.02)
    return peak


def _sudden_end(status: int, text: str, peak: int, oom_kills: int) -> str:
    """Say what is known of a process that left no report; memory is blamed only with evidence."""
    if status >= 0:
        return f"its process ended with status {status} before it returned, as by os._exit()."
    limit = psutil.virtual_memory().total
    used = f"it held {peak / 1e9:.2f} of the {limit / 1e9:.1f} GB of this machine"
    near = status == -signal.SIGKILL and peak > NEAR_THE_LIMIT * limit
    if near or count_oom_kills() > oom_kills:
        return f"it was killed because memory ran out; {used}."
    name = f"{signal.Signals(-status).name} ({signal.strsignal(-status)})"
    frames = [f for f in re.findall(r"  File .*", text) if stage_process.__file__ not in f]
    return "\n".join([f"{name} ended its process; {used}.", *frames[:3]])


def count_oom_kills(cgroups: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int:
    """How many processes of this cgroup the kernel killed for want of memory; 0 if unknown."""
    with suppress(OSError):
        group = Path(own).read_text().rpartition("::")[2].strip()
        place = Path(f"{cgroups}/{group}")
        if not place.is_dir():  # a container that sees its own cgroup as the root
            place = Path(cgroups)
        events = (place / "memory.events").read_text()
        return int(events.rpartition("oom_kill ")[2].split()[0])
    return 0


def train_values(data: Path, model: Path) -> dict[str, Any]:
    """Return the arguments of train() by name."""
    return {"data_directory_path": str(data), "model_directory_path": str(model)}


def infer_values(
    data: Path, model: Path, prediction: Path, perturbations: Sequence[str], genes: Sequence[str]
) -> dict[str, Any]:
    """Return the arguments of infer() by name; the last two are what it is asked for."""
    return train_values(data, model) | {
        "prediction_directory_path": str(prediction),
        "prediction_h5ad_file_path": str(prediction / PREDICTION_FILE),
        "program_proportion_csv_file_path": str(prediction / PREDICTED_PROPORTIONS_FILE),
        "predict_perturbations": list(perturbations),
        "genes_to_predict": list(genes),
    }
