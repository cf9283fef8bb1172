"""Kill, interrupt and starve stages and commands, and count how often nothing was lost.

    python -m benchmarks.faults                           all, the cheap ones most often
    python -m benchmarks.faults --tries 3 --only train    a few of one
    python -m benchmarks.faults --help                    names them

A try is survived if no final name ever holds an incomplete file; if the process, unless killed or
crashed for want of memory, leaves no other file; and if the next run gives the bytes of an
undisturbed one and leaves no other file either. Prints survived / tried. Needs Linux, a full disk
root, a failing write strace.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import psutil

import main
from benchmarks.disturbed_runs import COMMANDS, DEAR, OLDER, STAGES, Bench, attempt, make_bench
from perturbation.files import unfinished_name
from perturbation.model.gene_features import GENE_FEATURES_FILE
from perturbation.output import prediction_file
from simulation.competition import simulate

GENE_FEATURES = Path(main.__file__).parent / "resources" / GENE_FEATURES_FILE
CARRIED = (GENE_FEATURES_FILE, "README.md")
WRITES = "write,pwrite64,writev,pwritev"

Tries = list[tuple[str, bool]]
"""How each try ended, and whether that was survived."""


def all_faults(bench: Bench, n_tries: int) -> Iterator[tuple[str, Tries]]:
    """Try every kind of fault on one stage; starve it less often than it is killed."""
    few = -(-n_tries // 6)
    within = f"at moments up to {bench.seconds:.2f} s"
    yield f"killed {within}", send(bench, n_tries, signal.SIGKILL, "killed")
    yield f"Ctrl-C {within}", send(bench, n_tries, signal.SIGINT, "interrupted")
    if bench.contents and os.geteuid() == 0:
        yield "disk full (tmpfs)", fill_disk(bench, few)
    if bench.stage in STAGES and _strace_works():
        yield "write fails with EIO (strace)", fail_writes(bench, few)
    yield "memory refused", refuse_memory(bench, few)


def send(bench: Bench, n: int, number: signal.Signals, end: str) -> Tries:
    """Send a signal at moments spread over a run; every other time, older files stand there."""
    tries = []
    for nth, moment in enumerate(np.linspace(0, bench.seconds, n)):
        with empty_directory() as target:
            for name in bench.contents if nth % 2 else ():
                if not name.endswith(CARRIED):  # what the user has of these is left alone
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    (target / name).write_bytes(OLDER)
            harm = partial(_start_and_send, number, float(moment))
            tries.append(attempt(bench, target, harm=harm, good_ends=("finished", end)))
    return tries


def _start_and_send(
    number: signal.Signals, moment: float, child: BaseProcess, go: Callable[[], None]
) -> None:
    go()
    time.sleep(moment)
    with suppress(ProcessLookupError):  # it has ended already
        os.kill(child.pid or 0, number)


def fill_disk(bench: Bench, n: int) -> Tries:
    """Give less room than the files take, unnoticed by the check before the work."""
    needed, tries = sum(len(raw) for raw in bench.contents.values()), []
    for size in (np.linspace(0.01, 0.99, n) * needed).astype(int):
        with empty_directory() as target:
            _call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", target)
            try:
                more = partial(_call, "mount", "-o", "remount,size=1g", target)
                tries.append(attempt(bench, target, weaken=_forget_to_need_room, relieve=more))
            finally:
                _call("umount", target)
    return tries


def _call(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def _forget_to_need_room() -> None:
    vars(prediction_file)["need_room"] = lambda *_: None


def fail_writes(bench: Bench, n: int) -> Tries:
    """Let strace give EIO to one write to an unfinished file: the first, second, fourth ..."""
    tries = []
    for name in bench.contents:
        for number in 2 ** np.arange(n):
            with empty_directory() as target:
                harm = partial(_inject, target / name, int(number))
                tries.append(attempt(bench, target, harm=harm))
    return tries


def _strace_works() -> bool:
    found = shutil.which("strace")
    return found is not None and subprocess.run([found, "-o", os.devnull, "true"]).returncode == 0


def _inject(final: Path, number: int, child: BaseProcess, go: Callable[[], None]) -> None:
    """Trace the child until it ends; strace ends with it."""
    path = unfinished_name(final, child.pid)
    path.touch()  # strace finds the file by its name
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(child.pid), "-P", str(path)]
    inject = f"inject={WRITES}:error=EIO:when={number}"
    subprocess.Popen([*command, "-e", f"trace={WRITES}", "-e", inject])
    while "TracerPid:\t0\n" in Path(f"/proc/{child.pid}/status").read_text():
        time.sleep(0.01)
    go()


def refuse_memory(bench: Bench, n: int) -> Tries:
    """Set RLIMIT_AS after the imports: what is in use then, and a part of what the run takes.

    Libraries below Python may crash when memory is refused; that is as good as being killed.
    """
    tries, good_ends = [], ("finished", "one sentence", "traceback", "crashed")
    for share in np.linspace(0, 0.8, n + 1)[1:]:
        with empty_directory() as target:
            weaken = partial(_limit_memory, int(share * bench.memory_bytes))
            tries.append(attempt(bench, target, weaken=weaken, good_ends=good_ends))
    return tries


def _limit_memory(more: int) -> None:
    limit = psutil.Process().memory_info().vms + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@contextmanager
def empty_directory() -> Iterator[Path]:
    """Make a directory and remove it."""
    with tempfile.TemporaryDirectory(prefix="faults_") as path:
        yield Path(path)


def run_all(stages: list[str], n_tries: int) -> bool:
    """Make a competition, try every fault on every stage, and say whether all were survived."""
    all_survived = True
    print(f"{'':<66}survived / tried")
    with empty_directory() as data, empty_directory() as model:
        simulate(data, n_cells=600, n_genes=200, n_perturbations=12, n_targets=40)
        shutil.copy(GENE_FEATURES, model)
        main.train(str(data), str(model))
        for stage in stages:
            with empty_directory() as target:
                bench = make_bench(stage, data, model, target)
            for fault, tries in all_faults(bench, -(-n_tries // (8 if stage in DEAR else 1))):
                survived = sum(survived for _, survived in tries)
                ends = Counter(end for end, _ in tries).most_common()
                words = ", ".join(f"{number} {end}" for end, number in ends)
                line = f"{stage + ': ' + fault:<68}{survived:>3} / {len(tries):<5}{words}"
                print(line, flush=True)
                all_survived &= survived == len(tries)
    return all_survived


def command() -> int:
    """Run the command; the status is 1 if a try was not survived."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    everything = [*STAGES, *COMMANDS]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    parser.add_argument("--tries", type=int, default=48, help="of each kind (default: 48)")
    options = parser.parse_args()
    return 0 if run_all(options.only, options.tries) else 1


if __name__ == "__main__":
    raise SystemExit(command())
