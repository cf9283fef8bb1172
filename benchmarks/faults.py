"""Kill, interrupt and starve stages and commands, and count how often nothing was lost.

    python -m benchmarks.faults            50 kills of each stage, 10 of each command
    python -m benchmarks.faults --quick    a few, of train() and infer() alone

A try is survived if no final name ever holds an incomplete file; if the process, unless killed or
crashed for want of memory, leaves no other file; and if the next run gives the bytes of an
undisturbed one and leaves no other file either. Prints survived / tried. Needs Linux.
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

import main
from benchmarks.disturbed_runs import COMMANDS, OLDER, STAGES, Bench, attempt, make_bench
from perturbation.files import unfinished_name
from perturbation.model.gene_features import GENE_FEATURES_FILE
from perturbation.output import prediction_file
from simulation.competition import simulate

GENE_FEATURES = Path(main.__file__).parent / "resources" / GENE_FEATURES_FILE
WRITES = "write,pwrite64,writev,pwritev"


class Row(NamedTuple):
    """A kind of fault in one stage, and how every try of it ended."""

    fault: str
    stage: str
    tries: list[tuple[str, bool]]
    """How the process ended, and whether that was survived."""


def all_rows(bench: Bench, n_kills: int, n_starved: int) -> Iterator[Row]:
    """Try every kind of fault on one stage."""
    for fault, kind, n in (
        ("killed", partial(send, signal.SIGKILL, "killed"), n_kills),
        ("Ctrl-C", partial(send, signal.SIGINT, "interrupted"), n_kills),
        ("disk full", fill_disk, n_starved),
        ("write fails with EIO", fail_writes, n_starved),
        ("memory refused", refuse_memory, n_starved),
    ):
        note, tries = kind(bench, n)
        yield Row(f"{fault}{note}", bench.stage, tries)


# Kinds of faults: each returns a note on how it was done, and what came of each try


def send(
    number: signal.Signals, end: str, bench: Bench, n: int
) -> tuple[str, list[tuple[str, bool]]]:
    """Send a signal at moments spread over a run; every other time, older files stand there."""
    tries = []
    for nth, moment in enumerate(np.linspace(0, bench.seconds, n)):
        with empty_directory() as target:
            if nth % 2:
                for name in bench.contents:
                    _put_older(target / name)
            harm = partial(_start_and_send, number, float(moment))
            tries.append(attempt(bench, target, harm=harm, good_ends=("finished", end)))
    return f" at moments up to {bench.seconds:.2f} s", tries


def _put_older(path: Path) -> None:
    if path.name != GENE_FEATURES_FILE:  # what the user has of it is left alone
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(OLDER)


def _start_and_send(
    number: signal.Signals, moment: float, child: BaseProcess, go: Callable[[], None]
) -> None:
    go()
    time.sleep(moment)
    with suppress(ProcessLookupError):  # it has ended already
        if child.pid:
            os.kill(child.pid, number)


def fill_disk(bench: Bench, n: int) -> tuple[str, list[tuple[str, bool]]]:
    """Give less room than the files take, unnoticed by the check before the work."""
    if not bench.contents:
        return " (not tried: it writes nothing)", []
    needed = sum(len(raw) for raw in bench.contents.values())
    sizes = [int(size) for size in np.linspace(0.01, 0.99, n) * needed]
    if os.geteuid() == 0 and shutil.which("mount"):
        return " (tmpfs)", [_on_a_small_disk(bench, size) for size in sizes]
    tries = []
    for size in sizes:
        with empty_directory() as target:
            tries.append(attempt(bench, target, weaken=partial(_limit_file_size, size)))
    return " (limit of the file size: a tmpfs needs root)", tries


def _on_a_small_disk(bench: Bench, size: int) -> tuple[str, bool]:
    with empty_directory() as target:
        _call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", target)
        try:
            more = partial(_call, "mount", "-o", "remount,size=1g", target)
            return attempt(bench, target, weaken=_forget_to_need_room, relieve=more)
        finally:
            _call("umount", target)


def _call(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def _limit_file_size(size: int) -> None:
    _forget_to_need_room()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _forget_to_need_room() -> None:
    vars(prediction_file)["need_room"] = lambda *_: None


def fail_writes(bench: Bench, n: int) -> tuple[str, list[tuple[str, bool]]]:
    """Let strace give EIO to one write to an unfinished file: the first, second, fourth ..."""
    if bench.stage in COMMANDS or not _strace_works():
        return " (not tried: needs strace, and one process)", []
    tries = []
    for name in bench.contents:
        for number in 2 ** np.arange(n // len(bench.contents)):
            with empty_directory() as target:
                harm = partial(_inject, target / name, int(number))
                tries.append(attempt(bench, target, harm=harm))
    return " (strace)", tries


def _strace_works() -> bool:
    found = shutil.which("strace")
    return found is not None and subprocess.run([found, "-o", os.devnull, "true"]).returncode == 0


def _inject(final: Path, number: int, child: BaseProcess, go: Callable[[], None]) -> None:
    """Trace the child until it ends; strace ends with it."""
    path = unfinished_name(final, child.pid)
    path.touch()  # strace finds the file by its name
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(child.pid), "-P", str(path)]
    inject = f"inject={WRITES}:error=EIO:when={number}"
    command += ["-e", f"trace={WRITES}", "-e", inject]
    subprocess.Popen(command)
    while "TracerPid:\t0\n" in Path(f"/proc/{child.pid}/status").read_text():
        time.sleep(0.01)
    go()


def refuse_memory(bench: Bench, n: int) -> tuple[str, list[tuple[str, bool]]]:
    """Set RLIMIT_AS after the imports: what is in use then, and a part of what the run takes.

    Libraries below Python may crash when memory is refused; that is as good as being killed.
    """
    tries = []
    good_ends = ("finished", "one sentence", "MemoryError", "another exception", "crashed")
    for share in np.linspace(0, 0.8, n + 1)[1:]:
        with empty_directory() as target:
            weaken = partial(_limit_memory, int(share * bench.memory_bytes))
            tries.append(attempt(bench, target, weaken=weaken, good_ends=good_ends))
    return "", tries


def _limit_memory(more: int) -> None:
    limit = psutil.Process().memory_info().vms + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@contextmanager
def empty_directory() -> Iterator[Path]:
    """Make a directory and remove it."""
    with tempfile.TemporaryDirectory(prefix="faults_") as path:
        yield Path(path)


def describe(row: Row) -> str:
    """Return the row as a line."""
    ends = Counter(end for end, _ in row.tries).most_common()
    counts = ", ".join(f"{number} {end}" for end, number in ends)
    survived = sum(survived for _, survived in row.tries)
    return f"{row.stage + ': ' + row.fault:<56}{survived:>3} / {len(row.tries):<5}{counts}"


def run_all(
    stages: Sequence[str],
    *,
    n_kills: int,
    n_starved: int,
    n_cells: int,
    n_genes: int,
    n_targets: int,
) -> Iterator[Row]:
    """Make a competition, and try every fault on every stage."""
    with empty_directory() as data, empty_directory() as resources:
        simulate(data, n_cells=n_cells, n_genes=n_genes, n_perturbations=30, n_targets=n_targets)
        shutil.copy(GENE_FEATURES, resources)
        main.train(str(data), str(resources))
        for stage in stages:
            with empty_directory() as target:
                bench = make_bench(stage, data, resources, target)
            fewer = 5 if stage in COMMANDS else 1
            yield from all_rows(bench, n_kills // fewer, n_starved // fewer)


def command() -> int:
    """Run the command; the status is 1 if a try was not survived."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few tries, of stages alone")
    quick = parser.parse_args().quick
    if quick:
        sizes = {"n_kills": 3, "n_starved": 2, "n_cells": 400, "n_genes": 200, "n_targets": 40}
    else:
        sizes = {"n_kills": 50, "n_starved": 8, "n_cells": 2000, "n_genes": 1000, "n_targets": 100}
    lost = 0
    print(f"{'':<54}survived / tried")
    for row in run_all(STAGES[:2] if quick else (*STAGES, *COMMANDS), **sizes):
        print(describe(row), flush=True)
        lost += sum(not survived for _, survived in row.tries)
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(command())
