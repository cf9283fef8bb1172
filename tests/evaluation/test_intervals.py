"""Intervals hold what they estimate, and a difference is called real only if it is."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.crossval.comparison import compare
from evaluation.crossval.intervals import half_width, shared_variance, standard_error


def made_up_scores(gaps, n_repeats=1):
    """Scores of "shipped" and "other", the gaps between them one a perturbation."""
    rng = np.random.default_rng(0)
    rows = []
    for i, gap in enumerate(gaps):
        base = rng.normal()
        for repeat in range(n_repeats):
            for contender, value in (("shipped", base), ("other", base + gap)):
                row = {"perturbation": f"G{i:02}", "contender": contender, "repeat": repeat}
                row["fold"] = (i + repeat * (i // 4)) % 4
                rows.append(row | dict.fromkeys(("pearson_delta", "mmd", "l1"), value))
    frame = pd.DataFrame(rows)
    frame["contender"] = pd.Categorical(frame["contender"], ["shipped", "other"])
    return frame


def test_a_steady_difference_is_real_and_its_sign_means_better_or_worse():
    gaps = 0.1 + np.random.default_rng(1).normal(0, 0.01, 20)
    verdicts = {c.metric: c.verdict for c in compare(made_up_scores(gaps)) if c.difference}
    assert verdicts == {"pearson_delta": "better", "mmd": "worse", "l1": "worse"}


def test_a_noisy_difference_cannot_be_told():
    comparisons = compare(made_up_scores(np.random.default_rng(1).normal(0, 1, 20)))
    differences = [c for c in comparisons if c.difference]
    assert {c.verdict for c in differences} == {"cannot tell"}
    assert all("cannot be told from noise" in c.sentence for c in differences)


def test_equal_scores_are_the_same():
    assert {c.verdict for c in compare(made_up_scores(np.zeros(5))) if c.difference} == {"same"}


def test_repeats_do_not_narrow_the_interval_by_themselves():
    gaps = np.random.default_rng(1).normal(0, 1, 20)
    once, thrice = (compare(made_up_scores(gaps, n)) for n in (1, 3))
    for a, b in zip(once, thrice, strict=True):
        assert (a.score.low, a.score.high) == pytest.approx((b.score.low, b.score.high))


def scores_with_shared_noise(rng, deviation):
    """Scores of 40 knock-outs in 3 repeats of 5 folds, and the folds; each fold moves together."""
    folds = np.column_stack([rng.permutation(40) % 5 for _ in range(3)])
    scores = rng.normal(size=(40, 1)) + rng.normal(0, 0.1, (40, 3))
    return scores + rng.normal(0, deviation, (3, 5))[np.arange(3), folds], folds


def test_the_covariance_within_folds_is_found_without_bias():
    rng = np.random.default_rng(0)
    found = [shared_variance(*scores_with_shared_noise(rng, 0.5)) for _ in range(400)]
    assert np.mean(found) == pytest.approx(0.5**2, rel=0.08)


def test_scores_that_move_together_in_a_fold_widen_the_interval():
    apart, together = (
        scores_with_shared_noise(np.random.default_rng(0), deviation) for deviation in (0, 0.5)
    )
    assert shared_variance(*apart) < 0.003
    assert standard_error(*together) > 2 * standard_error(*apart)


def test_one_repeat_gives_the_plain_standard_error():
    scores = np.random.default_rng(0).normal(size=(12, 1))
    expected = scores.std(ddof=1) / np.sqrt(12)
    assert standard_error(scores, np.arange(12)[:, None] % 3) == pytest.approx(expected)


def half_of_interval(scores):
    folds = np.arange(len(scores))[:, None]
    return half_width(scores[:, None], folds, np.random.default_rng(0))


def test_the_interval_is_about_students_for_normal_scores():
    scores = np.random.default_rng(0).normal(3, 1, 30)
    students = stats.t.ppf(0.975, 29) * stats.sem(scores)
    assert half_of_interval(scores) == pytest.approx(students, rel=0.1)


def test_one_outlying_score_makes_the_interval_wider_than_students():
    scores = np.append(np.random.default_rng(0).normal(0, 1, 19), 30)
    assert half_of_interval(scores) > 1.5 * stats.t.ppf(0.975, 19) * stats.sem(scores)


def test_equal_scores_make_an_interval_of_no_length():
    assert half_of_interval(np.full(8, 0.1)) == 0
