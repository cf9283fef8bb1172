"""How fast and in how little memory the submission runs, steps beside their floors.

    python -m benchmarks.scale                      # a tenth of the cells and targets
    python -m benchmarks.scale --full               # 88,202 x 21,592 cells, 2,863 targets
    python -m benchmarks.scale --full --steps whole against

The floor of train(), which is always measured, is reading the arrays of X once in large slices and
dropping them, that of infer() is the plainest write of as many bytes, until they are on the disk.
It is run right before the step. Every step is a process of its own; commands print their progress,
and in their peak less than 0.3 GB cannot be told. "cold" has the file dropped from the page cache
first, "warm" has it there. Linux only.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import psutil

from evaluation.command import HOME, command_parser, ending
from evaluation.local.stages import Cost, infer_values, run_stage, train_values
from perturbation.competition import PERTURBATIONS_FILE, TRAINING_FILE
from perturbation.errors import InputError
from perturbation.model.gene_features import GENE_FEATURES_FILE
from perturbation.output.model_file import load_model
from simulation.competition import STORED_SHARE, TRUTH_SHARE

N_GENES = 21_592
WIDTHS = (10_238, N_GENES)
FULL, TENTH = (88_202, 2_863), (8_820, 286)
"""Cells and targets."""
HELD_OUT = 5
"""Targets that the simulation adds to the fresh ones."""
SLICE_BYTES = 2**26

ROW = "| {:<67} | {:>7} | {:>5} | {:>5} | {:>7} |"
JUDGED = {
    "cv": "--cv 5",
    "whole": "--cv 5 --whole --cells-per-perturbation 300",
    "against": "--cv 5 --cells-per-perturbation 300 --against .",
}
"""Options of local_test.py; against itself, two submissions cost what any two do."""


def check_room(work: Path, n_cells: int, n_targets: int) -> None:
    """Refuse to start where the largest files that stand side by side do not fit."""
    data = (12 * STORED_SHARE + 8 * TRUTH_SHARE) * n_cells * N_GENES
    needed = 1.05 * (data + 4 * 100 * n_targets * N_GENES)
    free = shutil.disk_usage(work).free
    print(f"Needs {needed / 1e9:.1f} GB in {work.parent}, where {free / 1e9:.1f} GB are free.")
    if free < needed:
        raise InputError(
            f"{work.parent} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed: "
            "make room, or choose another disk with --directory."
        )


def make_data(work: Path, n_cells: int, n_targets: int) -> tuple[Path, Path]:
    """Simulate a competition and its gene features; return the places of data and model."""
    data, model = work / "data", work / "model"
    size = ("--cells", n_cells, "--genes", N_GENES, "--targets", n_targets - HELD_OUT)
    sets, features = work / "sets.tsv", model / GENE_FEATURES_FILE
    timed("-m", "simulation.competition", data, *size, "--gene-sets", sets)
    timed("-m", "tools.gene_features.build", features, "--gene-sets", f"SIMULATED={sets}")
    return data, model


def measure(name: str, step: Callable[[], Cost], floor: float | None = None) -> None:
    """Run a step and print its row of the table."""
    start = time.perf_counter()
    cost = step()
    os.sync()  # what was written has reached the disk, as in the floor
    seconds = time.perf_counter() - start
    beside = (f"{floor:.1f}", f"{seconds / floor:.2f}") if floor else ("", "")
    peak = f"{cost.peak_memory_bytes / 1e6:,.0f}"
    print(ROW.format(name, f"{seconds:.1f}", *beside, peak), flush=True)


def measure_train(data: Path, model: Path) -> None:
    """Print train() beside reading the same arrays, from the page cache and from the disk."""
    file, values = data / TRAINING_FILE, train_values(data, model)
    for name, prepare in {"warm": read, "cold": drop_from_cache}.items():
        prepare(file)
        floor = read(file)
        prepare(file)
        measure(f"train(), {name} file", partial(run_stage, HOME, "train", values), floor)


def measure_infer(data: Path, model: Path, n_genes: int) -> None:
    """Print infer(), of the genes in any order, beside writing as many bytes."""
    targets = (data / PERTURBATIONS_FILE).read_text(encoding="utf-8").split()
    genes = np.random.default_rng(0).permutation(load_model(model).training.genes)[:n_genes]
    with tempfile.TemporaryDirectory(dir=model) as out:
        floor = write(Path(out, "floor"), 4 * 100 * len(targets) * n_genes)
        Path(out, "floor").unlink()
        values = infer_values(data, model, Path(out), targets, genes.tolist())
        infer = partial(run_stage, HOME, "infer", values)
        measure(f"infer() of {len(targets):,} x {n_genes:,}", infer, floor)


def read(path: Path) -> float:
    """Floor of train(): read the arrays of X once in large slices; return the seconds."""
    start = time.perf_counter()
    with h5py.File(path) as file:
        for values in file["X"].values():
            step = SLICE_BYTES // values.dtype.itemsize
            for first in range(0, len(values), step):
                values[first : first + step]
    return time.perf_counter() - start


def write(path: Path, n_bytes: int) -> float:
    """Floor of infer(): write as many bytes and wait for the disk; return the seconds."""
    block = memoryview(np.random.default_rng(0).bytes(SLICE_BYTES))
    start = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        while n_bytes > 0:
            n_bytes -= file.write(block[:n_bytes])
        os.fsync(file.fileno())
    return time.perf_counter() - start


def timed(*words: object) -> Cost:
    """Run Python with these arguments at the top of the repository, and measure it.

    The peak is the largest that it, or a process that it started, held; the system counts from what
    this one holds.
    """
    command = [sys.executable, *map(str, words)]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=HOME, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(f"{' '.join(command)} failed with the error above.")
    return Cost(time.perf_counter() - start, 1024 * usage.ru_maxrss)


def drop_from_cache(path: Path) -> None:
    """Make the next read of the file come from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    """Make the data, measure every step, and print the table as it grows."""
    parser = command_parser(__doc__)
    parser.add_argument("--full", action="store_true", help="the competition's full size")
    parser.add_argument("--directory", type=Path, help="where to work (default: a temporary one)")
    steps = [*JUDGED, "infer"]
    parser.add_argument("--steps", nargs="+", choices=steps, default=["cv", "infer"])
    options = parser.parse_args()
    size, memory = FULL if options.full else TENTH, psutil.virtual_memory().total / 1e9
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="scale-") as work:
        check_room(Path(work), *size)
        print(f"{os.cpu_count()} processors, {memory:.0f} GB of memory, {platform.platform()}")
        data, model = make_data(Path(work), *size)
        print(ROW.format("step", "seconds", "floor", "ratio", "peak MB"))
        measure_train(data, model)
        for words in (JUDGED[step] for step in options.steps if step in JUDGED):
            own = ("--model", model) if words == JUDGED["cv"] else ()
            command = ("local_test.py", "--data", data, *own, *words.split())
            measure(f"local_test.py {words}", partial(timed, *command))
        for width in WIDTHS if "infer" in options.steps else ():
            measure_infer(data, model, width)


if __name__ == "__main__":
    raise SystemExit(ending(main))
