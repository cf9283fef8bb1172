"""How fast and in how little memory the submission runs, steps beside their floors.

    python -m benchmarks.scale                      # a tenth of the cells and targets
    python -m benchmarks.scale --full               # 88,202 x 21,592 cells, 2,863 targets
    python -m benchmarks.scale --full --steps whole against

The floor of train() is reading the arrays of X once in large slices and dropping them, that of
infer() is the plainest write of as many bytes, until they are on the disk. It is run right before
and right after the step, and the mean taken: disks drift. Every step is a process of its own.
"cold" has the file dropped from the page cache first, "warm" has it there. Linux only.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import psutil

from evaluation.local.stages import Cost, infer_values, run_stage
from perturbation.competition import PERTURBATIONS_FILE, TRAINING_FILE
from perturbation.errors import InputError
from perturbation.model.gene_features import GENE_FEATURES_FILE
from perturbation.output.model_file import load_model
from simulation.competition import STORED_SHARE, TRUTH_SHARE

ROOT = Path(__file__).resolve().parents[1]
N_GENES = 21_592
FULL = {"cells": 88_202, "targets": 2_863}
TENTH = {"cells": 8_820, "targets": 286}
WIDTHS = (10_238, N_GENES)
HELD_OUT = 5
"""Targets that the simulation adds to the fresh ones."""
SLICE_BYTES = 2**26

ROW = "| {:<44} | {:>7} | {:>6} | {:>5} | {:>7} |"
HEADER = ("step", "seconds", "floor", "ratio", "peak MB")
JUDGED = {
    "cv": ("--cv", "5"),
    "whole": ("--cv", "5", "--whole", "--cells-per-perturbation", "300"),
    "against": ("--cv", "5", "--cells-per-perturbation", "300", "--against", str(ROOT)),
}
"""Options of local_test.py; against itself, two submissions cost what any two do."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="the competition's full size")
    parser.add_argument("--directory", type=Path, help="where to work (default: a temporary one)")
    steps = ("train", *JUDGED, "infer")
    parser.add_argument("--steps", nargs="+", choices=steps, default=["train", "cv", "infer"])
    options = parser.parse_args()
    size = FULL if options.full else TENTH
    try:
        with tempfile.TemporaryDirectory(dir=options.directory, prefix="scale-") as work:
            check_room(Path(work), size)
            print(machine())
            run(Path(work), size, options.steps)
    except InputError as error:
        sys.exit(f"error: {error}")


def run(work: Path, size: dict[str, int], steps: list[str]) -> None:
    """Make the data, measure every step beside its floor, and print the table as it grows."""
    data, model, out = (work / name for name in ("data", "model", "out"))
    model.mkdir()
    out.mkdir()
    make_data(data, model, size)
    print(ROW.format(*HEADER))
    print(ROW.format(*["---"] * len(HEADER)))
    if "train" in steps or "infer" in steps:
        measure_train(data, model)
    for name in (name for name in JUDGED if name in steps):
        own = () if "--cells-per-perturbation" in JUDGED[name] else ("--model", model)
        command = ("local_test.py", "--data", data, *own, *JUDGED[name])
        print_row(f"local_test.py {' '.join(JUDGED[name])}".replace(str(ROOT), "."), timed(command))
    if "infer" in steps:
        for width in WIDTHS:
            measure_infer(data, model, out, size["targets"], width)


def check_room(work: Path, size: dict[str, int]) -> None:
    """Refuse to start where the largest files that stand side by side do not fit."""
    data = (12 * STORED_SHARE + 8 * TRUTH_SHARE) * size["cells"] * N_GENES
    needed = 1.05 * (data + 4 * 100 * size["targets"] * N_GENES)
    free = shutil.disk_usage(work).free
    print(f"Needs {needed / 1e9:.1f} GB in {work.parent}, where {free / 1e9:.1f} GB are free.")
    if free < needed:
        raise InputError(
            f"{work.parent} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed: "
            "make room, or choose another disk with --directory."
        )


def machine() -> str:
    """Say what the measurements were made on."""
    processors = len(os.sched_getaffinity(0))
    memory = psutil.virtual_memory().total / 1e9
    return f"{processors} processors, {memory:.0f} GB of memory, {platform.platform(terse=True)}"


def make_data(data: Path, model: Path, size: dict[str, int]) -> None:
    """Simulate a competition, and the gene features that go with it."""
    sets, n_fresh = data.with_name("gene_sets.tsv"), size["targets"] - HELD_OUT
    arguments = ("--cells", size["cells"], "--genes", N_GENES, "--targets", n_fresh)
    cost = timed(("-m", "simulation.competition", data, *arguments, "--gene-sets", sets))
    features = model / GENE_FEATURES_FILE
    timed(("-m", "tools.gene_features.build", features, "--gene-sets", f"SIMULATED={sets}"))
    print(f"\n{size['cells']:,} cells x {N_GENES:,} genes simulated in {cost.seconds:.0f} s.\n")


def measure_train(data: Path, model: Path) -> None:
    """Print train() beside reading the same arrays, from the page cache and from the disk."""
    values = {"data_directory_path": str(data), "model_directory_path": str(model)}
    training_file = data / TRAINING_FILE
    read(training_file)
    for name, prepare in (("warm", lambda: None), ("cold", lambda: drop_from_cache(training_file))):
        measure(
            f"train(), {name} file",
            prepare,
            floor=lambda: read(training_file),
            step=lambda: run_stage(ROOT, "train", values),
        )


def measure_infer(data: Path, model: Path, out: Path, n_targets: int, n_genes: int) -> None:
    """Print infer(), of the genes in any order, beside writing as many bytes."""
    targets = (data / PERTURBATIONS_FILE).read_text(encoding="utf-8").split()[:n_targets]
    genes = np.random.default_rng(0).permutation(load_model(model).training.genes)[:n_genes]
    values = infer_values(data, model, out, targets, genes.tolist())

    def prepare() -> None:
        for file in out.iterdir():
            file.unlink()
        os.sync()

    measure(
        f"infer() of {n_targets:,} x {n_genes:,}",
        prepare,
        floor=lambda: write(out / "floor", 4 * 100 * n_targets * n_genes),
        step=lambda: run_stage(ROOT, "infer", values),
    )
    prepare()


def measure(
    name: str,
    prepare: Callable[[], None],
    floor: Callable[[], float],
    step: Callable[[], Cost],
) -> None:
    """Run floor, step, floor, each prepared, and print the row."""
    prepare()
    before = floor()
    prepare()
    start = time.perf_counter()
    cost = step()
    os.sync()  # what was written has reached the disk, as in the floor
    cost = Cost(time.perf_counter() - start, cost.peak_memory_bytes)
    prepare()
    print_row(name, cost, (before + floor()) / 2)


def read(path: Path) -> float:
    """Floor of train(): read the arrays of X once in large slices; return the seconds."""
    start = time.perf_counter()
    with h5py.File(path) as file:
        for values in (file["X/data"], file["X/indices"], file["X/indptr"]):
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


def timed(words: tuple[object, ...]) -> Cost:
    """Run Python with these arguments at the top of the repository, and measure it.

    The peak is the largest that it, or a process that it started, held; the system counts from what
    this one holds, so less than 0.3 GB cannot be told.
    """
    command = [sys.executable, *map(str, words)]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            raise InputError(f"{' '.join(command)} failed:\n{said.read()[-2000:]}")
    return Cost(time.perf_counter() - start, 1024 * usage.ru_maxrss)


def drop_from_cache(path: Path) -> None:
    """Make the next read of the file come from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def print_row(name: str, cost: Cost, floor: float | None = None) -> None:
    """Print one line of the table."""
    beside = (f"{floor:.1f}", f"{cost.seconds / floor:.2f}") if floor else ("", "")
    peak = f"{cost.peak_memory_bytes / 1e6:,.0f}"
    print(ROW.format(name, f"{cost.seconds:.1f}", *beside, peak), flush=True)


if __name__ == "__main__":
    main()
