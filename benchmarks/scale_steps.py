"""The steps that `benchmarks.scale` measures, each run in a process of its own.

    python -m benchmarks.scale_steps NAME KEY=VALUE ...

The last line printed is JSON: seconds, cpu_seconds, peak_bytes (resident) and n_bytes read or
written. Importing is not part of the seconds; reaching the disk is. Linux only.
"""

import contextlib
import json
import os
import resource
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from evaluation.local.stages import infer_values
from perturbation.competition import PERTURBATIONS_FILE, PREDICTION_FILE, TRAINING_FILE
from perturbation.output.model_file import load_model

SLICE_BYTES = 2**26


def read(data: str) -> tuple[float, int]:
    """Floor of train(): read the arrays of X once in large slices and drop them."""
    n_bytes = 0
    start = time.perf_counter()
    with h5py.File(Path(data) / TRAINING_FILE) as file:
        for name in ("X/data", "X/indices", "X/indptr"):
            values = file[name]
            step = SLICE_BYTES // values.dtype.itemsize
            for first in range(0, len(values), step):
                n_bytes += values[first : first + step].nbytes
    return time.perf_counter() - start, n_bytes


def train(data: str, model: str) -> tuple[float, int]:
    """train() of main.py; bytes of the arrays it reads."""
    import main

    start = time.perf_counter()
    main.train(data, model)
    seconds = time.perf_counter() - start
    with h5py.File(Path(data) / TRAINING_FILE) as file:
        return seconds, sum(file["X"][name].nbytes for name in ("data", "indices", "indptr"))


def write(out: str, n_bytes: str) -> tuple[float, int]:
    """Floor of infer(): write as many bytes, no two blocks alike, and wait for the disk."""
    block = np.random.default_rng(0).bytes(SLICE_BYTES)
    left = int(n_bytes)
    start = time.perf_counter()
    with (Path(out) / "floor").open("wb", buffering=0) as file:
        while left > 0:
            left -= file.write(memoryview(block)[:left])
        os.fsync(file.fileno())
    return time.perf_counter() - start, int(n_bytes)


def infer(data: str, model: str, out: str, n_genes: str, n_targets: str) -> tuple[float, int]:
    """infer() of main.py for the first targets of the data and genes of the model in any order."""
    import main

    targets = (Path(data) / PERTURBATIONS_FILE).read_text(encoding="utf-8").split()
    genes = np.random.default_rng(0).permutation(load_model(model).training.genes)
    prediction = Path(out) / PREDICTION_FILE
    start = time.perf_counter()
    asked = targets[: int(n_targets)], genes[: int(n_genes)].tolist()
    main.infer(**infer_values(Path(data), Path(model), Path(out), *asked))
    with prediction.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - start, prediction.stat().st_size


def cross_validate(data: str, model: str) -> tuple[float, int]:
    """`local_test.py --cv 5`; bytes of the training file."""
    sys.argv = ["local_test.py", "--data", data, "--model", model, "--cv", "5"]
    start = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        try:
            runpy.run_path("local_test.py", run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
    return time.perf_counter() - start, (Path(data) / TRAINING_FILE).stat().st_size


STEPS: dict[str, Callable[..., tuple[float, int]]] = {
    f.__name__: f for f in (read, train, write, infer, cross_validate)
}


def peak_bytes() -> int:
    """Peak resident memory of this process, or of its largest child if that is more.

    VmHWM and not ru_maxrss, which starts from the parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return 1024 * max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def main() -> None:
    """Run the step that the command line names."""
    name, *arguments = sys.argv[1:]
    cpu_before = time.process_time()
    seconds, n_bytes = STEPS[name](**dict(argument.split("=", 1) for argument in arguments))
    result = {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu_before,
        "peak_bytes": peak_bytes(),
        "n_bytes": n_bytes,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
