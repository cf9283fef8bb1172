"""Runs train() or infer() in a child process, disturbed in some way, and once more in peace."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

import main
from evaluation.local.stages import infer_values
from perturbation.competition import GENES_FILE, PERTURBATIONS_FILE
from perturbation.data.names import read_names
from perturbation.errors import InputError
from perturbation.output import prediction_file

STAGES = ("train", "infer on disk", "infer in memory")
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
        One of `STAGES`.
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
    """Every file of a directory, hidden ones too."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


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
    return None if hung else child.exitcode


def _child(
    pipe: Connection, bench: Bench, target: Path, weaken: Weaken, note_memory_in: Path | None
) -> None:
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    before = psutil.Process().memory_info().vms
    pipe.send("ready")
    try:
        pipe.recv()
        weaken()
        _run(bench, target)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
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


def _run(bench: Bench, target: Path) -> None:
    if bench.stage == "train":
        main.train(str(bench.data), str(target))
        return
    prediction_file.SHARE_OF_MEMORY = 0 if bench.stage == "infer on disk" else 1
    asked = (read_names(bench.data / name) for name in (PERTURBATIONS_FILE, GENES_FILE))
    main.infer(**infer_values(bench.data, bench.resources, target, *asked))
