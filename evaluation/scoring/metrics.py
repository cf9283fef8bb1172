"""The competition's three metrics, for one perturbation on one panel of genes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from perturbation.competition import L1_WEIGHTS, PROGRAMS
from perturbation.model.mmd_kernel import mmd_kernel

METRICS = {"pearson_delta": "higher", "mmd": "lower", "l1": "lower"}
"""The three metrics in the order of the boards, and which way is better."""

NO_CORRELATION = (
    "the prediction is constant or equals the perturbed centroid: it has no correlation"
)

ROUNDING = float(np.finfo(np.float32).eps)
"""Relative error of a mean of cells, which files hold as float32."""

Shares = Mapping[str, float] | pd.Series
"""Of the cells in each program, by its name."""


def pearson_delta(
    truth: np.ndarray, prediction: np.ndarray, perturbed_centroid: np.ndarray
) -> float:
    """Correlation of the predicted with the true mean effect, both relative to PM.

    ``corr(mean(prediction) - PM, mean(truth) - PM)`` over the genes of the panel, from all rows.

    Parameters
    ----------
    truth, prediction
        Cells x panel genes, log2(1 + counts per 100,000); any number of rows, so a mean is one row.
    perturbed_centroid
        PM, the mean of all perturbed training cells, (n_genes,).

    Returns
    -------
    float in [-1, 1]; 0 where either side varies over genes by no more than the rounding of cells,
    where the published formula gives NaN or noise; NaN if any value is NaN.
    """
    deltas = _delta(truth, perturbed_centroid), _delta(prediction, perturbed_centroid)
    return float(np.corrcoef(*deltas)[0, 1]) if all(delta.any() for delta in deltas) else 0.0


def _delta(rows: np.ndarray, perturbed_centroid: np.ndarray) -> np.ndarray:
    """mean(rows) - PM, centred twice against rounding; all 0 where only rounding is left of it."""
    mean = np.mean(rows, axis=0, dtype=np.float64)
    delta = mean - perturbed_centroid
    delta = delta - delta.mean()
    scale = np.linalg.norm(mean) + np.linalg.norm(perturbed_centroid)
    return delta * (not np.linalg.norm(delta) <= ROUNDING * scale)


def mmd(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Squared maximum mean discrepancy of the first n rows of each, n the smaller row count.

    ``mean k(truth, truth) + mean k(pred, pred) - 2 mean k(truth, pred)``, diagonals included, where
    k is `perturbation.model.mmd_kernel`.

    Parameters
    ----------
    truth, prediction
        Cells x panel genes, log2(1 + counts per 100,000), in the order of their files.

    Returns
    -------
    float; 0 for equal rows. Peak extra memory about ``2 * n * (n_genes + 4 * n) * 8`` bytes.
    """
    n = min(len(truth), len(prediction))
    rows = np.concatenate([truth[:n], prediction[:n]]).astype(np.float64, copy=False)
    kernel = mmd_kernel(rows)
    sums = kernel.reshape(2, n, 2, n).sum(axis=(1, 3))
    return float((sums[0, 0] + sums[1, 1] - sums[0, 1] - sums[1, 0]) / n**2)


def l1_distance(truth: Shares, prediction: Shares) -> float:
    """Weighted L1 distance of program proportions.

    ``0.75 (|d pre_adipo| + |d adipo| + |d other|) + 0.25 |d (lipo / (adipo + 1e-20))|``

    Parameters
    ----------
    truth, prediction
        Anything with ``["pre_adipo"]``, ``["adipo"]``, ``["other"]`` and ``["lipo"]``.
    """
    differences = [truth[name] - prediction[name] for name in PROGRAMS]
    differences.append(lipo_given_adipo(truth) - lipo_given_adipo(prediction))
    return float(np.abs(differences) @ L1_WEIGHTS)


def lipo_given_adipo(proportions: Shares) -> float:
    """Share of the adipo cells that are lipo; 0 where there are neither."""
    return proportions["lipo"] / (proportions["adipo"] + 1e-20)
