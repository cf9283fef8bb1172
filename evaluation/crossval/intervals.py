"""A 95 percent interval for an expected score over new knock-outs, from cross-validation."""

import numpy as np

LEVEL = 0.95
N_RESAMPLES = 2_000


def standard_error(scores: np.ndarray, folds: np.ndarray) -> float:
    """Standard error of the mean score, as an estimate of the expected one over new knock-outs.

    Knock-outs are the sample, so repeats are averaged first. To their variance over n comes what
    scores have in common because they train each other: the covariance of two knock-outs that
    were held out together, beyond what is their own. Repeats tell it; from one repeat, or folds of
    one knock-out, it cannot be told and is left out.

    Parameters
    ----------
    scores
        (n_perturbations, n_repeats) of one metric.
    folds
        (n_perturbations, n_repeats) number of the fold that held each out.
    """
    of_knockouts = scores.mean(axis=1).var(ddof=1) / len(scores)
    return float(np.sqrt(of_knockouts + shared_variance(scores, folds)))


def shared_variance(scores: np.ndarray, folds: np.ndarray) -> float:
    """Covariance c of the scores of two knock-outs in a repeat that held them out together.

    Their own means over the R repeats are taken off, so where m repeats hold a pair out together,
    the product of its scores in each of these expects c (1 - 2 / R + m / R^2).

    Returns
    -------
    float, not below 0. Parameters as in `standard_error`.
    """
    # Two knock-outs held out together were predicted by one model: its luck is in both scores.
    # Their product, each less its own mean over repeats, shows it; with R = 3 repeats and m = 1
    # shared fold the product keeps 1 - 2/3 + 1/9 = 4/9 of c, which is divided out.
    n_repeats = scores.shape[1]
    own = scores - scores.mean(axis=1, keepdims=True)
    together = folds[:, None] == folds
    together[np.diag_indices(len(folds))] = False
    times = together.sum(axis=2)
    expected = (times * (1 - 2 / n_repeats + times / n_repeats**2)).sum()
    if n_repeats == 1 or expected == 0:
        return 0.0
    return max(0.0, float(np.einsum("ir,jr,ijr->", own, own, together) / expected))


def half_width(
    scores: np.ndarray, folds: np.ndarray, rng: np.random.Generator, level: float = LEVEL
) -> float:
    """Return how far a studentised bootstrap interval over knock-outs reaches, up and down.

    Knock-outs are drawn with replacement. How many of its own standard errors the mean of a draw
    lies from the mean of all, in a share `level` of the draws at most, is how many of
    `standard_error` the interval reaches (Efron and Tibshirani 1993, section 12.5; symmetric as in
    Hall 1988). With few knock-outs of unequal effect it holds the expectation more often than the
    percentile bootstrap and Student's t; benchmarks/intervals.py measures how often.

    Parameters
    ----------
    scores, folds
        As in `standard_error`.
    rng
        Source of the draws.
    level
        How often the interval is to hold the expectation.
    """
    values = scores.mean(axis=1)
    n, mean = len(values), values.mean()
    drawn = values[rng.integers(n, size=(N_RESAMPLES, n))]
    spread = drawn.std(axis=1, ddof=1)
    is_told = spread > 1e-12 * np.abs(values).max()
    if not is_told.any():
        return 0.0
    away = np.abs(drawn.mean(axis=1) - mean)[is_told] / spread[is_told] * np.sqrt(n)
    return float(np.quantile(away, level) * standard_error(scores, folds))
