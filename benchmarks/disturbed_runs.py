"""Runs a stage or a command in a child process, disturbed in some way, and once more in peace."""

import io
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

import main
from evaluation.command import FAILED, INTERRUPTED, ending
from evaluation.local.stages import infer_values
from evaluation.reading import read_names
from perturbation.competition import GENES_FILE, PERTURBATIONS_FILE
from perturbation.output import prediction_file

STAGES = ("train", "infer on disk", "infer in memory")
COMMANDS = {
    "tools.explain": "GENE00001 --model {model}",
    "tools.gene_features.build": "{out}/features.npz --gene-sets MINE={model}/sets.gmt",
    "tools.explore.__main__": "{data} --out {out}",
    "tools.atlas.__main__": "--model {model} --targets {model}/targets.txt --out {out}",
    "local_test": "--data {data} --model {out}/model --out {out}/prediction",
    "local_test --cv": "--data {data} --cv 2 --repeats 1 --json {out}/cv.json --report {out}",
    "local_test --whole": "--data {data} --cv 2 --whole --json {out}/cv.json --report {out}",
}
"""Modules, with what tells their runs apart, and the words of their command lines."""
DEAR = list(COMMANDS)[2:]
SETS = "".join(f"GO:{i}\tterm\t" + "\t".join(map(str, range(i, i + 9))) + "\n" for i in range(999))

TRACEBACK = 3
ENDS = {
    0: "finished",
    FAILED: "one sentence",
    TRACEBACK: "traceback",
    INTERRUPTED: "interrupted",
    -signal.SIGKILL: "killed",
    None: "hung",
}
"""From the exit status of a child to words; 1, a rejection, is no way to end."""
OLDER = b"an older file, whole in its way"
COSTS = re.compile(rb"\(\) at most \d+ s and [\d.]+ GB")
"""What a page tells of the run itself, another each time."""
SECONDS_TO_HANG = 120

_CONTEXT = multiprocessing.get_context("forkserver")  # children start with everything imported
_CONTEXT.set_forkserver_preload(
    ["simulation.competition", "local_test", *(name for name in COMMANDS if " " not in name)]
)

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
    """A stage or command, what it reads, and what an undisturbed run takes and writes.

    Attributes
    ----------
    stage
        One of `STAGES` or `COMMANDS`.
    data, model
        Directories; `model` holds a trained model.
    contents
        From the name of each file written to its bytes.
    seconds, memory_bytes
        What the run took; memory is the growth of the address space.
    """

    stage: str
    data: Path
    model: Path
    contents: Contents
    seconds: float = 0.0
    memory_bytes: int = 0


def make_bench(stage: str, data: Path, model: Path, target: Path) -> Bench:
    """Measure an undisturbed run, which must succeed; `target` is an empty directory."""
    bench = Bench(stage, data, model, {})
    run_in_child(bench, target)  # the first run is slower than those to come
    status, cost = run_in_child(bench, target)
    if status != 0:
        raise RuntimeError(f"The undisturbed {stage} ended with status {status}.")
    return replace(bench, contents=contents_of(target), **cost)


def contents_of(directory: Path) -> Contents:
    """Every file below a directory, hidden ones too."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(f.relative_to(directory)): COSTS.sub(b"", f.read_bytes()) for f in files}


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
    end = ENDS.get(run_in_child(bench, target, weaken, harm)[0], "crashed")
    left = contents_of(target)
    whole = all(left.get(n, OLDER) in (OLDER, raw) for n, raw in bench.contents.items())
    tidy = end in ("killed", "crashed") or left.keys() <= bench.contents.keys()
    relieve()
    again = run_in_child(bench, target)[0] == 0 and contents_of(target) == bench.contents
    return end, whole and tidy and again and end in good_ends


def run_in_child(
    bench: Bench, target: Path, weaken: Weaken = nothing, harm: Harm = start
) -> tuple[int | None, dict[str, Any]]:
    """Run with its output into `target`; return its exit status, None if it hung, and its cost."""
    pipe, other_end = _CONTEXT.Pipe()
    child = _CONTEXT.Process(target=_child, args=(other_end, bench, target, weaken))
    child.start()
    other_end.close()
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
    cost = {}
    with suppress(EOFError, OSError):  # a child that was killed tells nothing
        cost = pipe.recv()
    return None if hung else child.exitcode, cost


def _child(pipe: Connection, bench: Bench, target: Path, weaken: Weaken) -> None:
    before, begin = psutil.Process().memory_info().vms, time.perf_counter()
    sys.stdout = sys.stderr = told = io.StringIO()
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets & ignore it

    def run() -> int:
        pipe.send("ready")
        pipe.recv()
        weaken()
        return _run(bench, target)

    status = ending(run)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    peak = Path("/proc/self/status").read_text().split("VmPeak:")[1].split()[0]
    grown = 1024 * int(peak) - before
    pipe.send({"seconds": time.perf_counter() - begin, "memory_bytes": grown})
    sys.exit(TRACEBACK if status == FAILED and "Traceback" in told.getvalue() else status)


def _run(bench: Bench, target: Path) -> int:
    """Return the status of a command, 0 after a stage."""
    if bench.stage in COMMANDS:
        (bench.model / "sets.gmt").write_text(SETS)
        shutil.copy(bench.data / PERTURBATIONS_FILE, bench.model / "targets.txt")
        tempfile.gettempdir()  # subtle: looked up once, before TMPDIR says where --whole works
        os.environ["TMPDIR"] = str(target)
        places = {"data": bench.data, "model": bench.model, "out": target}
        words = COMMANDS[bench.stage].format(**places).split()
        return int(import_module(bench.stage.split()[0]).main(words) or 0)
    if bench.stage == "train":
        main.train(str(bench.data), str(target))
        return 0
    prediction_file.SHARE_OF_MEMORY = 0 if bench.stage == "infer on disk" else 1
    asked = (read_names(bench.data / name) for name in (PERTURBATIONS_FILE, GENES_FILE))
    main.infer(**infer_values(bench.data, bench.model, target, *asked))
    return 0
