"""How fast the MMD is: the published formula written naively, and evaluation/scoring.py.

    python -m benchmarks.scoring [--rows 100] [--genes 1000] [--repeats 20]

Prints seconds a perturbation for both, their ratio, and how far their values are apart. The naive
one is a pair of broadcast arrays of (2 rows) x (2 rows) x genes, subtracted, squared and added up,
and one exp for each bandwidth.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from evaluation.scoring import mmd
from evaluation.tables import aligned
from perturbation.competition import MMD_BANDWIDTHS


def naive_mmd(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Take the formula at its word: every difference of two cells, gene by gene."""
    n = min(len(truth), len(prediction))
    both = np.concatenate([truth[:n], prediction[:n]])
    distances = ((both[None, :, :] - both[:, None, :]) ** 2).sum(axis=2)
    kernel = sum(np.exp(-distances / bandwidth) for bandwidth in MMD_BANDWIDTHS)
    true, predicted, mixed = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]
    return float(true.mean() + predicted.mean() - 2 * mixed.mean())


def fastest(function: Callable[..., float], *arguments: np.ndarray, repeats: int) -> float:
    """Return seconds of the fastest of several calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    truth, prediction = np.maximum(rng.normal(1, 1.5, (2, args.rows, args.genes)), 0)
    naive = fastest(naive_mmd, truth, prediction, repeats=max(1, args.repeats // 4))
    ours = fastest(mmd, truth, prediction, repeats=args.repeats)
    gap = abs(naive_mmd(truth, prediction) - mmd(truth, prediction))
    print(f"MMD of one perturbation, {args.rows} + {args.rows} cells x {args.genes} genes, float64")
    rows = [
        ["published formula, written naively", f"{naive:.5f}", "1"],
        ["evaluation.scoring.mmd", f"{ours:.5f}", f"{naive / ours:.0f}"],
    ]
    print(aligned(["", "seconds", "times faster"], rows))
    print(f"The two values differ by {gap:.1e}.")


if __name__ == "__main__":
    main()
