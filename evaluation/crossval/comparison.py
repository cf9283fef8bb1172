"""Compares predictors perturbation by perturbation, and says whether a difference is real."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from evaluation.crossval.intervals import LEVEL, half_width, standard_error
from evaluation.scoring.metrics import METRICS

SEED = 0
TITLES = {"pearson_delta": "Pearson delta", "mmd": "MMD", "l1": "L1"}
WIDENING = {"pearson_delta": 1.0, "mmd": 1.0, "l1": 1.15}
"""Times as wide as computed are the intervals of differences, so that at most 5 in 100 contenders
of equal expected score are called really better. Set by `benchmarks.intervals --first-seed 1000`,
where L1 needed 1.07 with five contenders and the others less than 1; shown on other seeds."""


@dataclass(frozen=True)
class Estimate:
    """A mean over perturbations.

    Attributes
    ----------
    mean, standard_error
        Of the scores; see `evaluation.crossval.intervals.standard_error`.
    low, high
        Ends of the 95 percent interval, from `evaluation.crossval.intervals.half_width`.
    """

    mean: float
    standard_error: float
    low: float
    high: float

    @classmethod
    def of(
        cls, scores: pd.DataFrame, folds: pd.DataFrame, n_compared: int = 1, widening: float = 1.0
    ) -> Self:
        """Estimate from scores and fold numbers (n_perturbations, n_repeats).

        The interval of one of `n_compared` differences misses with a probability of 5 percent over
        their number (Bonferroni), so that all of them hold together 95 times in 100.
        """
        values, numbers = scores.to_numpy(), folds.to_numpy()
        level = 1 - (1 - LEVEL) / n_compared
        half = widening * half_width(values, numbers, np.random.default_rng(SEED), level)
        mean = float(values.mean())
        return cls(mean, standard_error(values, numbers), mean - half, mean + half)


@dataclass(frozen=True)
class Comparison:
    """One contender on one metric.

    Attributes
    ----------
    contender, reference, metric
        Names; the reference is what contenders are compared with.
    score
        Its mean score.
    difference
        Mean of its score minus the reference's on the same perturbations; None for the reference
        itself.
    """

    contender: str
    reference: str
    metric: str
    score: Estimate
    difference: Estimate | None

    @property
    def verdict(self) -> str:
        """better, worse, same, or "cannot tell", than the reference."""
        if self.difference is None:
            return ""
        if self.difference.low == self.difference.high == 0:
            return "same"
        if self.difference.low <= 0 <= self.difference.high:
            return "cannot tell"
        is_up = self.difference.mean > 0
        return "better" if is_up == (METRICS[self.metric] == "higher") else "worse"

    @property
    def sentence(self) -> str:
        """Say whether the difference is real; nothing of the reference itself."""
        if (gap := self.difference) is None:
            return ""
        size = f"({gap.mean:+.4f}, 95 percent interval {_span(gap)})"
        says = f"{self.contender} is really {self.verdict} than {self.reference} {size}"
        if self.verdict == "same":
            says = f"{self.contender} scores exactly what {self.reference} does"
        elif self.verdict == "cannot tell":
            who = f"the difference of {self.contender} to {self.reference}"
            says = f"{who} {size} cannot be told from noise"
        return f"{TITLES[self.metric]}: {says}."


def by_perturbation(scores: pd.DataFrame) -> pd.DataFrame:
    """Average repeats and panel draws: index perturbation, columns (metric, contender)."""
    means = scores.groupby(["perturbation", "contender"], observed=True)[list(METRICS)].mean()
    return pd.DataFrame(means.unstack("contender"))


def compare(scores: pd.DataFrame, n_baselines: int = 0) -> list[Comparison]:
    """Estimate every contender's score and its difference to the reference.

    The more contenders are compared, the wider the intervals of their differences.

    Parameters
    ----------
    scores
        From `evaluation.crossval.scores.together`; the first contender is the reference.
    n_baselines
        How many contenders behind it are there for orientation: they do not widen the others'.
    """
    columns = ["contender", "repeat"]
    by_repeat = scores.pivot_table([*METRICS, "fold"], "perturbation", columns, observed=True)
    reference, *others = scores["contender"].cat.categories
    folds = by_repeat["fold"][reference]
    n = max(1, len(others) - n_baselines)
    comparisons = []
    for metric in METRICS:
        for contender in (reference, *others):
            values = by_repeat[metric][contender]
            gap = values - by_repeat[metric][reference]
            score = Estimate.of(values, folds)
            gain = Estimate.of(gap, folds, n, WIDENING[metric]) if contender in others else None
            comparisons.append(Comparison(contender, reference, metric, score, gain))
    return comparisons


def tables(comparisons: list[Comparison]) -> dict[str, pd.DataFrame]:
    """Return the table of every metric, as text: one row a contender."""
    found = {}
    for metric in METRICS:
        rows = {c.contender: _row(c) for c in comparisons if c.metric == metric}
        title = f"{TITLES[metric]} ({METRICS[metric]} is better)"
        found[metric] = pd.DataFrame.from_dict(rows, orient="index").rename_axis(columns=title)
    return found


def _row(comparison: Comparison) -> dict[str, str]:
    score, gap = comparison.score, comparison.difference
    return {
        "mean ± s.e.": f"{score.mean:.4f} ± {score.standard_error:.4f}",
        "95% interval": f"{score.low:.4f} to {score.high:.4f}",
        f"minus {comparison.reference}": f"{gap.mean:+.4f}" if gap else "",
        "95% interval of that": _span(gap) if gap else "",
        "verdict": comparison.verdict,
    }


def _span(estimate: Estimate) -> str:
    return f"{estimate.low:+.4f} to {estimate.high:+.4f}"
