"""How fast the MMD is: the published formula written naively, and evaluation/scoring/metrics.py.

    python -m benchmarks.mmd_speed [--rows 100] [--genes 1000] [--repeats 20]

Prints seconds a perturbation, how many times slower the naive ones are, and how far their values
are from ours. Naive is, first, the formula at its word, pair of cells by pair of cells; then all
pairs at once on arrays of all cells x all cells x genes.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from evaluation.scoring.metrics import mmd
from evaluation.tables import aligned
from perturbation.competition import MMD_BANDWIDTHS


def naive_mmd(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Take the formula at its word: three means over pairs of cells of a sum of exps."""
    n = min(len(truth), len(prediction))
    true, predicted = truth[:n], prediction[:n]
    return (
        _naive_mean(true, true)
        + _naive_mean(predicted, predicted)
        - 2 * _naive_mean(true, predicted)
    )


def _naive_mean(some: np.ndarray, others: np.ndarray) -> float:
    """Mean kernel between the rows of two arrays, pair by pair."""
    kernels = [_naive_kernel(x, y) for x in some for y in others]
    return float(np.mean(kernels))


def _naive_kernel(x: np.ndarray, y: np.ndarray) -> float:
    distance = np.sum((x - y) ** 2)
    return sum(np.exp(-distance / bandwidth) for bandwidth in MMD_BANDWIDTHS)


def broadcast_mmd(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Take all differences at once, as an array of all cells x all cells x genes."""
    n = min(len(truth), len(prediction))
    both = np.concatenate([truth[:n], prediction[:n]])
    distances = ((both[None, :, :] - both[:, None, :]) ** 2).sum(axis=2)
    kernel = sum(np.exp(-distances / bandwidth) for bandwidth in MMD_BANDWIDTHS)
    true, predicted, mixed = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]
    return float(true.mean() + predicted.mean() - 2 * mixed.mean())


FORMULAS = {
    "published formula, pair by pair": naive_mmd,
    "published formula, on broadcast arrays": broadcast_mmd,
}


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
    print(f"MMD of one perturbation, {args.rows} + {args.rows} cells x {args.genes} genes, float64")
    ours = fastest(mmd, truth, prediction, repeats=args.repeats)
    rows = [["evaluation.scoring.metrics.mmd", f"{ours:.5f}", "", ""]]
    for name, function in FORMULAS.items():
        seconds = fastest(function, truth, prediction, repeats=max(1, args.repeats // 10))
        gap = abs(function(truth, prediction) - mmd(truth, prediction))
        rows.append([name, f"{seconds:.5f}", f"{seconds / ours:.0f}", f"{gap:.1e}"])
    print(aligned(["", "seconds", "times slower", "difference"], rows))


if __name__ == "__main__":
    main()
