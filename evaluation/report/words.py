"""What the sentence below a picture says of two columns of numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.stats import spearmanr

SIGNIFICANT = 0.05


def rank_correlation(
    x: np.ndarray, y: np.ndarray, alternative: Literal["two-sided", "greater"] = "two-sided"
) -> tuple[float, float]:
    """Return Spearman's correlation and its p value; 0 and 1 where a column is constant.

    Parameters
    ----------
    x, y
        (n,) numbers.
    alternative
        "greater" asks only whether they rise together.
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0, 1.0
    test = spearmanr(x.astype(float), y.astype(float), alternative=alternative)
    return float(test.statistic), float(test.pvalue)
