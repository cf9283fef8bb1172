"""Runs a stage or a command in a child process, disturbed in some way, and once more in peace."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

import local_test
import main
import tools.explain
from evaluation.command import FAILED, INTERRUPTED
from evaluation.local.stages import infer_values
from perturbation.competition import GENES_FILE, PERTURBATIONS_FILE
from perturbation.data.names import read_names
from perturbation.errors import InputError
from perturbation.output import prediction_file

STAGES = ("train", "infer on disk", "infer in memory")
COMMANDS = {
    "local_test.py": (local_test.main, "--model {0}/model --out {0}/prediction"),
    "local_test.py --cv": (local_test.main, "--cv 2 --repeats 1 --json {0}/cv.json --report {0}"),
    "tools.explain": (tools.explain.main, "GENE00001 --model {1}"),
}
"""Functions of a command line, and its words; {0} is the target, {1} holds a trained model."""
ENDS = {
    0: "finished",
    3: "one sentence",
    4: "MemoryError",
    5: "another exception",
    6: "interrupted",
    -9: "killed",
    None: "hung",
}
"""From the exit status of a child to words."""
STATUS = {words: status for status, words in ENDS.items()}

COMMAND_ENDS = {FAILED: "one sentence", INTERRUPTED: "interrupted"}
"""From the exit status of a command to words; 1, a rejection, is no way to end."""

OLDER = b"an older file, whole in its way"
SECONDS_TO_HANG = 60

_CONTEXT = multiprocessing.get_context("forkserver")  # children start with everything imported
_CONTEXT.set_forkserver_preload(["benchmarks.disturbed_runs", "simulation.competition"])

Contents = dict[str, bytes]
Weaken = Callable[[], object]
"""Called in the child before the stage starts, such as to lower a limit."""
Harm = Callable[[BaseProcess, Callable[[], None]], None]
"""Called with the child and a function that lets it start, such as to start and then kill it."""


def nothing() -> None:
    """Weaken nothing."""


def start(child: BaseProcess, go: Callable[[], None]) -> None:
    """Harm nobody."""
    go()


@dataclass(frozen=True)
class Bench:
    """A stage, what it reads, and what an undisturbed run takes and writes.

    Attributes
    ----------
    stage
        One of `STAGES` or `COMMANDS`.
    data, resources
        Directories; `resources` holds a trained model.
    contents
        From the name of each file written to its bytes.
    seconds, memory_bytes
        What the run took; memory is the growth of the address space.
    """

    stage: str
    data: Path
    resources: Path
    contents: Contents
    seconds: float = 0.0
    memory_bytes: int = 0


def make_bench(stage: str, data: Path, resources: Path, target: Path) -> Bench:
    """Measure an undisturbed run, which must succeed; `target` is an empty directory."""
    bench = Bench(stage, data, resources, {})
    run_in_child(bench, target)  # the first run is slower than those to come
    grown = target / "grown"
    started = []

    def note_start(child: BaseProcess, go: Callable[[], None]) -> None:
        go()
        started.append(time.perf_counter())

    status = run_in_child(bench, target, harm=note_start, note_memory_in=grown)
    seconds = time.perf_counter() - started[0]
    if status != 0:
        raise RuntimeError(f"The undisturbed {stage} ended with status {status}.")
    memory_bytes = int(grown.read_text())
    grown.unlink()
    return replace(bench, contents=contents_of(target), seconds=seconds, memory_bytes=memory_bytes)


def contents_of(directory: Path) -> Contents:
    """Every file below a directory, hidden ones too."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def attempt(
    bench: Bench,
    target: Path,
    *,
    weaken: Weaken = nothing,
    harm: Harm = start,
    relieve: Callable[[], object] = nothing,
    good_ends: tuple[str, ...] = ("finished", "one sentence"),
) -> tuple[str, bool]:
    """Disturb a run, look at what it left, and run again.

    Parameters
    ----------
    target
        Empty, or with older files.
    relieve
        Called before the second run.
    good_ends
        How the first may end.

    Returns
    -------
    How the first run ended, and whether it was survived.
    """
    end = ENDS.get(run_in_child(bench, target, weaken, harm), "crashed")
    left = contents_of(target)
    whole = all(left.get(n, OLDER) in (OLDER, raw) for n, raw in bench.contents.items())
    tidy = end in ("killed", "crashed") or left.keys() <= bench.contents.keys()
    relieve()
    again = run_in_child(bench, target) == 0 and contents_of(target) == bench.contents
    return end, whole and tidy and again and end in good_ends


def run_in_child(
    bench: Bench,
    target: Path,
    weaken: Weaken = nothing,
    harm: Harm = start,
    note_memory_in: Path | None = None,
) -> int | None:
    """Return the exit status of a run with its output into `target`; None if it hung."""
    pipe, other_end = _CONTEXT.Pipe()
    arguments = (other_end, bench, target, weaken, note_memory_in)
    child = _CONTEXT.Process(target=_child, args=arguments)
    child.start()
    pipe.recv()
    harm(child, lambda: pipe.send("go"))
    child.join(SECONDS_TO_HANG)
    if hung := child.exitcode is None:
        child.kill()
        child.join()
    with suppress(ProcessLookupError):  # what a command started ends after it, and by itself
        while child.pid:
            os.killpg(child.pid, 0)
            time.sleep(0.01)
    return None if hung else child.exitcode


def _child(
    pipe: Connection, bench: Bench, target: Path, weaken: Weaken, note_memory_in: Path | None
) -> None:
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    before = psutil.Process().memory_info().vms
    sys.stdout = sys.stderr
    os.setpgrp()
    pipe.send("ready")
    try:
        pipe.recv()
        weaken()
        status = _run(bench, target)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if status:
            sys.exit(STATUS[COMMAND_ENDS[status]])
    except KeyboardInterrupt:
        sys.exit(STATUS["interrupted"])
    except InputError:
        sys.exit(STATUS["one sentence"])
    except MemoryError:
        sys.exit(STATUS["MemoryError"])
    except Exception:
        sys.exit(STATUS["another exception"])
    if note_memory_in:
        peak = Path("/proc/self/status").read_text().split("VmPeak:")[1].split()[0]
        note_memory_in.write_text(str(1024 * int(peak) - before))


def _run(bench: Bench, target: Path) -> int:
    """Return the status of a command, 0 after a stage."""
    if bench.stage in COMMANDS:
        command, words = COMMANDS[bench.stage]
        data = ["--data", str(bench.data)] if command is local_test.main else []
        return command([*words.format(target, bench.resources).split(), *data])
    if bench.stage == "train":
        main.train(str(bench.data), str(target))
        return 0
    prediction_file.SHARE_OF_MEMORY = 0 if bench.stage == "infer on disk" else 1
    asked = (read_names(bench.data / name) for name in (PERTURBATIONS_FILE, GENES_FILE))
    main.infer(**infer_values(bench.data, bench.resources, target, *asked))
    return 0
