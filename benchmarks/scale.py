"""How fast and in how little memory the submission runs, each step beside its floor.

    python -m benchmarks.scale            # a tenth of the cells and targets, inside 3 minutes
    python -m benchmarks.scale --full     # 88,202 x 21,592 cells, 2,863 targets

The floor of train() is reading the arrays of X once in large slices and dropping them, that of
infer() is the plainest write of as many bytes, until they are on the disk. It is run right before
and right after the step, and the mean taken: disks drift. Every step is a process of its own, so
its peak memory is its own. "cold" has the file dropped from the page cache first, "warm" has it
there. Big files are deleted as soon as the steps that need them are done. Linux only.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from perturbation.competition import LOCAL_TRUTH_FILE, TRAINING_FILE
from perturbation.errors import InputError
from perturbation.model.gene_features import GENE_FEATURES_FILE
from simulation.competition import STORED_SHARE, TRUTH_SHARE

ROOT = Path(__file__).resolve().parents[1]
N_GENES = 21_592
FULL = {"cells": 88_202, "targets": 2_863}
TENTH = {"cells": 8_820, "targets": 286}
WIDTHS = (10_238, N_GENES)
HELD_OUT = 5
"""Targets that the simulation adds to the fresh ones."""

ROW = "| {:<28} | {:>5} | {:>7} | {:>6} | {:>5} | {:>5} | {:>7} | {:>6} |"
HEADER = ("step", "cache", "seconds", "floor", "ratio", "CPU s", "peak MB", "GB")

Measurement = dict[str, float]
"""seconds, cpu_seconds, peak_bytes and n_bytes of one run of a step."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="the competition's full size")
    parser.add_argument("--directory", type=Path, help="where to work (default: a temporary one)")
    options = parser.parse_args()
    size = FULL if options.full else TENTH
    try:
        with tempfile.TemporaryDirectory(dir=options.directory, prefix="scale-") as work:
            check_room(Path(work), size)
            print(machine())
            run(Path(work), size)
    except InputError as error:
        sys.exit(f"error: {error}")


def run(work: Path, size: dict[str, int]) -> None:
    """Make the data, measure every step beside its floor, and print the table as it grows."""
    data, model, out = (work / name for name in ("data", "model", "out"))
    model.mkdir()
    out.mkdir()
    make_data(data, model, size)
    print(ROW.format(*HEADER))
    print(ROW.format(*["---"] * len(HEADER)))
    train = measure_train(data, model, "warm")
    measure_train(data, model, "cold")
    print_row("local_test.py --cv 5", "warm", step("cross_validate", data=data, model=model))
    for name in (TRAINING_FILE, LOCAL_TRUTH_FILE):
        (data / name).unlink()
    infer = [measure_infer(data, model, out, size["targets"], width) for width in WIDTHS][-1]
    if size is FULL:  # at a tenth, fixed costs hide what grows
        measure_growth(data, model, out, train, infer)


def measure_growth(
    data: Path, model: Path, out: Path, train: Measurement, infer: Measurement
) -> None:
    """Measure a quarter of the full size too, and print what grows by how much."""
    part = {name: n // 4 for name, n in FULL.items()}
    make_data(data, model, part)
    part_train = measure_train(data, model, "warm")
    part_infer = measure_infer(data, model, out, part["targets"], N_GENES)
    more_cells = (FULL["cells"] - part["cells"]) / 1e6
    more_targets = (FULL["targets"] - part["targets"]) / 1e3
    print(f"\nWhat grows, from a quarter of the size to all of it, at {N_GENES:,} genes:")
    print_growth("train(), a million cells", train, part_train, more_cells)
    print_growth("infer(), 1,000 knock-outs", infer, part_infer, more_targets)


def check_room(work: Path, size: dict[str, int]) -> None:
    """Refuse to start where the largest files that stand side by side do not fit."""
    n_stored = STORED_SHARE * size["cells"] * N_GENES
    data = 12 * n_stored + 8 * TRUTH_SHARE * size["cells"] * N_GENES
    prediction = 4 * 100 * size["targets"] * N_GENES
    needed = 1.05 * max(data, prediction)
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
    arguments = ["--cells", size["cells"], "--genes", N_GENES, "--targets", n_fresh]
    start = time.perf_counter()
    run_module("simulation.competition", data, *arguments, "--gene-sets", sets)
    features = model / GENE_FEATURES_FILE
    run_module("tools.gene_features.build", features, "--gene-sets", f"SIMULATED={sets}")
    seconds = time.perf_counter() - start
    print(f"\n{size['cells']:,} cells x {N_GENES:,} genes simulated in {seconds:.0f} s.\n")


def measure_train(data: Path, model: Path, cache: str) -> Measurement:
    """Print and return train() beside reading the same arrays."""

    def prepare() -> None:
        if cache == "cold":
            drop_from_cache(data / TRAINING_FILE)

    if cache == "warm":
        step("read", data=data)
    return measure(
        "train()",
        cache,
        prepare,
        floor=lambda: step("read", data=data),
        measured=lambda: step("train", data=data, model=model),
    )


def measure_infer(data: Path, model: Path, out: Path, n_targets: int, n_genes: int) -> Measurement:
    """Print and return infer() beside writing as many bytes."""
    n_bytes = 4 * 100 * n_targets * n_genes

    def prepare() -> None:
        for file in out.iterdir():
            file.unlink()
        os.sync()

    arguments = {"data": data, "model": model, "out": out}
    result = measure(
        f"infer() of {n_targets:,} x {n_genes:,}",
        "",
        prepare,
        floor=lambda: step("write", out=out, n_bytes=n_bytes),
        measured=lambda: step("infer", **arguments, n_targets=n_targets, n_genes=n_genes),
    )
    prepare()
    return result


def measure(
    name: str,
    cache: str,
    prepare: Callable[[], None],
    floor: Callable[[], Measurement],
    measured: Callable[[], Measurement],
) -> Measurement:
    """Run floor, step, floor, each prepared; print the row, return the step's measurement."""
    results = []
    for run_step in (floor, measured, floor):
        prepare()
        results.append(run_step())
    before, result, after = results
    print_row(name, cache, result, (before["seconds"] + after["seconds"]) / 2)
    return result


def step(name: str, **arguments: object) -> Measurement:
    """Run a step of `scale_steps` in a process of its own."""
    words = [f"{key}={value}" for key, value in arguments.items()]
    return json.loads(run_module("benchmarks.scale_steps", name, *words).splitlines()[-1])


def run_module(*words: object) -> str:
    """Run `python -m ...` from the top of the repository and return what it prints."""
    command = [sys.executable, "-m", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def drop_from_cache(path: Path) -> None:
    """Make the next read of the file come from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def print_row(name: str, cache: str, result: Measurement, floor: float | None = None) -> None:
    """Print one line of the table."""
    seconds = result["seconds"]
    beside = (f"{floor:.1f}", f"{seconds / floor:.2f}") if floor else ("", "")
    cpu, peak = f"{result['cpu_seconds']:.1f}", f"{result['peak_bytes'] / 1e6:,.0f}"
    gigabytes = f"{result['n_bytes'] / 1e9:.2f}"
    print(ROW.format(name, cache, f"{seconds:.1f}", *beside, cpu, peak, gigabytes), flush=True)


def print_growth(name: str, whole: Measurement, part: Measurement, units: float) -> None:
    """Print how much a step takes more for each unit more."""
    seconds = (whole["seconds"] - part["seconds"]) / units
    megabytes = (whole["peak_bytes"] - part["peak_bytes"]) / 1e6 / units
    print(f"{name}: {seconds:,.1f} s and {megabytes:,.0f} MB of peak memory more")


if __name__ == "__main__":
    main()
