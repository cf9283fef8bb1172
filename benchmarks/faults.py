"""Kill, interrupt and starve stages and commands, and count how often nothing was lost.

    python -m benchmarks.faults                           all, the cheap ones most often
    python -m benchmarks.faults --tries 3 --only train    a few of one
    python -m benchmarks.faults --help                    names them

A try is survived if no final name ever holds an incomplete file; if the process, unless killed or
crashed for want of memory, leaves no other file; and if the next run gives the bytes of an
undisturbed one and leaves no other file either. Prints survived / tried. Needs Linux, a full disk
root, a failing write strace.
"""

import io
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import main
from evaluation.command import FAILED, INTERRUPTED, command_parser, ending
from evaluation.local.stages import infer_values
from evaluation.reading import read_names
from perturbation.competition import GENES_FILE, PERTURBATIONS_FILE
from perturbation.files import unfinished_name
from perturbation.output import prediction_file
from simulation.competition import simulate

STAGES = ("train", "infer on disk", "infer in memory")
COMMANDS = {
    "tools.explain": "GENE00001 --model {model}",
    "tools.gene_features.build": "{out}/features.npz --gene-sets MINE={model}/sets.tsv",
    "tools.explore.__main__": "{data} --out {out}",
    "tools.atlas.__main__": "--model {model} --targets {targets} --out {out}",
    "local_test": "--data {data} --model {out}/model --out {out}/prediction",
    "local_test --cv": "--data {data} --cv 2 --repeats 1 --json {out}/cv.json --report {out}",
    "local_test --whole": "--data {data} --cv 2 --whole --json {out}/cv.json --report {out}",
}
"""Modules, with what tells their runs apart, and the words of their command lines."""
DEAR = list(COMMANDS)[2:]

FORK = multiprocessing.get_context("fork")
SECONDS_TO_HANG = 300
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
TRY_STRACE = ["/bin/sh", "-c", "strace -o /dev/null true 2> /dev/null"]
WRITES = "write,pwrite64,writev,pwritev"

Work = Callable[[Path], int | None]
"""Writes into a directory and returns an exit status."""
Fault = tuple[signal.Signals, float] | Callable[[Path], object]
"""A signal to send and after how many seconds; or what the child calls before its work, with the
same directory."""


def prepare(data: Path, model: Path) -> None:
    """Make a competition and a trained model."""
    sets = model / "sets.tsv"
    simulate(data, n_cells=600, n_genes=200, n_perturbations=12, n_targets=40, gene_sets=sets)
    main.train(str(data), str(model))


def do(name: str, data: Path, model: Path, out: Path) -> int:
    """Do the work of a stage or command."""
    if name in COMMANDS:
        tempfile.gettempdir()  # subtle: looked up once, before TMPDIR says where --whole works
        os.environ["TMPDIR"] = str(out)
        targets = data / PERTURBATIONS_FILE
        words = COMMANDS[name].format(data=data, model=model, targets=targets, out=out).split()
        return int(import_module(name.split()[0]).main(words) or 0)
    if name == "train":
        main.train(str(data), str(out))
        return 0
    prediction_file.SHARE_OF_MEMORY = 0 if name == "infer on disk" else 1
    asked = (read_names(data / file) for file in (PERTURBATIONS_FILE, GENES_FILE))
    main.infer(**infer_values(data, model, out, *asked))
    return 0


def run(work: Work, target: Path, fault: Fault | None = None) -> str:
    """Run in a child, a fork that has everything imported, and return how it ended."""
    pipe, other_end = FORK.Pipe()
    child = FORK.Process(target=_child, args=(other_end, work, target, fault))
    child.start()
    other_end.close()
    if sent := pipe.recv():
        time.sleep(sent[1])
        with suppress(ProcessLookupError):  # it has ended already
            os.kill(child.pid or 0, sent[0])
    child.join(SECONDS_TO_HANG)
    end = ENDS.get(child.exitcode, "crashed")
    child.kill()
    child.join()
    with suppress(ProcessLookupError):  # what a command started ends after it, and by itself
        while child.pid:
            os.killpg(child.pid, 0)
            time.sleep(0.01)
    return end


def _child(pipe: Connection, work: Work, target: Path, fault: Fault | None) -> None:
    sys.stdout = sys.stderr = told = io.StringIO()
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets & ignore it

    def disturbed() -> int | None:
        pipe.send(fault(target) if callable(fault) else fault)
        return work(target)

    status = ending(disturbed)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(TRACEBACK if status == FAILED and "Traceback" in told.getvalue() else status)


def contents_of(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, hidden ones too."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(f.relative_to(directory)): f.read_bytes() for f in files}


def attempt(work: Work, contents: dict[str, bytes], fault: Fault) -> tuple[str, bool]:
    """Disturb a run, look at what it left, and run again.

    Returns
    -------
    How the first run ended; and whether what it left is whole, it left nothing else unless it was
    killed or crashed, and the second run gave the `contents` of an undisturbed one.
    """
    with tempfile.TemporaryDirectory(prefix="faults_") as directory:
        target = Path(directory)
        end = run(work, target, fault)
        left = contents_of(target)
        if target.is_mount():
            subprocess.run(["/bin/umount", target], check=True)
        if end in ("killed", "crashed"):  # it could not tidy up
            left = {name: raw for name, raw in left.items() if name in contents}
        fine = left.items() <= contents.items()
        again = run(work, target) == "finished" and contents_of(target) == contents
    return end, fine and again


def fill_disk(room: int, target: Path) -> None:
    """Give so many bytes of room, unnoticed by the check before the work."""
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", target], check=True)
    vars(prediction_file)["need_room"] = lambda *_: None


def fail_write(name: str, number: int, target: Path) -> None:
    """Let strace give EIO to one write to an unfinished file; it ends with what it traces."""
    path = unfinished_name(target / name)
    path.touch()  # strace finds the file by its name
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(os.getpid()), "-P", str(path)]
    inject = f"inject={WRITES}:error=EIO:when={number}"
    subprocess.Popen([*command, "-e", f"trace={WRITES}", "-e", inject])
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        time.sleep(0.01)


def refuse_memory(more: int, _target: Path) -> None:
    """Limit the address space to what is in use after the imports, and so many bytes more."""
    pages = Path("/proc/self/statm").read_text().split()[0]
    limit = int(pages) * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def all_faults(
    name: str, contents: dict[str, bytes], seconds: float, n: int
) -> Iterator[tuple[str, str, Sequence[Fault]]]:
    """Every kind of fault, how it may end a run, and its tries: starved less often than killed."""
    moments, within = np.linspace(0, seconds, n), f"at moments up to {seconds:.2f} s"
    few = range(-(-n // 6))
    yield f"killed {within}", "killed", [(signal.SIGKILL, m) for m in moments]
    yield f"Ctrl-C {within}", "interrupted", [(signal.SIGINT, m) for m in moments]
    if contents and os.geteuid() == 0:
        rooms = np.linspace(0.01, 0.99, len(few)) * sum(map(len, contents.values()))
        yield "disk full (tmpfs)", "one sentence", [partial(fill_disk, int(room)) for room in rooms]
    if name in STAGES and subprocess.run(TRY_STRACE).returncode == 0:
        writes = [partial(fail_write, file, 2**i) for file in contents for i in few]
        yield "write fails with EIO (strace)", "one sentence", writes
    # Libraries below Python may crash when memory is refused; that is as good as being killed.
    ends = "one sentence, traceback, crashed"
    yield "memory refused", ends, [partial(refuse_memory, 2 ** (25 + i)) for i in few]


def try_all(name: str, data: Path, model: Path, n_tries: int) -> bool:
    """Try every fault on one stage or command, print a line for each, and say if all survived."""
    work, n = partial(do, name, data, model), -(-n_tries // (8 if name in DEAR else 1))
    with tempfile.TemporaryDirectory() as target:
        begin = time.perf_counter()
        if (end := run(work, Path(target))) != "finished":
            raise RuntimeError(f"The undisturbed {name} ended so: {end}.")
        seconds, contents = time.perf_counter() - begin, contents_of(Path(target))
    all_survived = True
    for kind, good_ends, faults in all_faults(name, contents, seconds, n):
        tries = [attempt(work, contents, fault) for fault in faults]
        survived = sum(fine and end in f"finished, {good_ends}" for end, fine in tries)
        ends = Counter(end for end, _ in tries).most_common()
        words = ", ".join(f"{number} {end}" for end, number in ends)
        print(f"{f'{name}: {kind}':<68}{survived:>3} / {len(tries):<5}{words}", flush=True)
        all_survived &= survived == len(tries)
    return all_survived


if __name__ == "__main__":
    parser = command_parser(__doc__)
    everything = [*STAGES, *COMMANDS]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    parser.add_argument("--tries", type=int, default=48, help="of each kind (default: 48)")
    options = parser.parse_args()
    for chosen in COMMANDS.keys() & options.only:
        import_module(chosen.split()[0])  # once, for all children
    print(f"{'':<66}survived / tried")
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as model:
        places = Path(data), Path(model)
        run(lambda _: prepare(*places), places[0])
        ok = [try_all(name, *places, options.tries) for name in options.only]
    raise SystemExit(not all(ok))
