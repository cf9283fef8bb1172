"""The three metrics against the formulas the organisers publish, written out naively here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation.scoring.metrics import l1_distance, mmd, pearson_delta


def published_mmd(truth, prediction):
    n = min(len(truth), len(prediction))
    both = np.concatenate([truth[:n], prediction[:n]]).astype(np.float64)
    distances = np.array([[((a - b) ** 2).sum() for b in both] for a in both])
    kernel = sum(np.exp(-distances / b) for b in (581.5, 1163, 2326, 4652, 9304))
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def published_pearson(truth, prediction, perturbed_centroid):
    return stats.pearsonr(
        truth.mean(axis=0) - perturbed_centroid, prediction.mean(axis=0) - perturbed_centroid
    ).statistic


def cells(rng, n, n_genes=40):
    return np.maximum(rng.normal(3, 4, (n, n_genes)), 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1_000), st.floats(0.01, 100))
def test_mmd_equals_the_published_formula(n_truth, n_predicted, seed, scale):
    rng = np.random.default_rng(seed)
    truth, prediction = cells(rng, n_truth) * scale, cells(rng, n_predicted) * scale
    expected = published_mmd(truth, prediction)
    assert abs(mmd(truth, prediction) - expected) <= 1e-12 * max(1, abs(expected))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1_000))
def test_pearson_equals_the_published_formula(n_truth, n_predicted, seed):
    rng = np.random.default_rng(seed)
    truth, prediction, centroid = cells(rng, n_truth), cells(rng, n_predicted), cells(rng, 1)[0]
    expected = published_pearson(truth, prediction, centroid)
    assert abs(pearson_delta(truth, prediction, centroid) - expected) <= 1e-12


def test_mmd_of_repeated_cells_equals_the_published_formula():
    rng = np.random.default_rng(0)
    truth, prediction = cells(rng, 30), np.repeat(cells(rng, 1), 100, axis=0)
    assert mmd(truth, prediction) == pytest.approx(published_mmd(truth, prediction), abs=1e-8)


def test_mmd_survives_a_large_common_offset():
    rng = np.random.default_rng(0)
    truth, prediction = cells(rng, 10), cells(rng, 10)
    assert mmd(truth + 1e6, prediction + 1e6) == pytest.approx(mmd(truth, prediction), abs=1e-8)


def test_mmd_of_the_truth_itself_is_zero():
    truth = cells(np.random.default_rng(0), 20)
    assert mmd(truth, truth) == pytest.approx(0, abs=1e-13)


def test_mmd_worked_by_hand():
    # one cell each at squared distance 9304, so k = e^-16 + e^-8 + e^-4 + e^-2 + e^-1
    truth, prediction = np.zeros((1, 1)), np.full((1, 1), np.sqrt(9304))
    k = np.exp([-16, -8, -4, -2, -1]).sum()
    assert mmd(truth, prediction) == pytest.approx(5 + 5 - 2 * k, abs=1e-12)


def test_mmd_looks_at_the_first_rows_only():
    rng = np.random.default_rng(0)
    truth, prediction = cells(rng, 5), cells(rng, 12)
    assert mmd(truth, prediction) == mmd(truth, prediction[:5])
    assert mmd(truth, prediction) != mmd(truth, prediction[5:])


def test_pearson_looks_at_all_rows():
    rng = np.random.default_rng(0)
    truth, prediction, centroid = cells(rng, 5), cells(rng, 12), cells(rng, 1)[0]
    whole = pearson_delta(truth, prediction, centroid)
    assert whole != pearson_delta(truth, prediction[:5], centroid)
    assert whole == pearson_delta(truth, prediction.mean(axis=0)[None], centroid)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_prediction_equal_to_the_perturbed_centroid_scores_zero(dtype):
    rng = np.random.default_rng(0)
    truth, centroid = cells(rng, 20), cells(rng, 30).mean(axis=0)
    prediction = np.tile(centroid, (100, 1)).astype(dtype)
    assert pearson_delta(truth, prediction, centroid) == 0


def test_a_prediction_that_differs_from_the_centroid_by_a_constant_scores_zero():
    rng = np.random.default_rng(0)
    truth, centroid = cells(rng, 20), cells(rng, 30).mean(axis=0)
    assert pearson_delta(truth, np.tile(centroid + 0.5, (100, 1)), centroid) == 0


def test_a_tiny_real_difference_is_still_a_direction():
    rng = np.random.default_rng(0)
    truth, centroid = cells(rng, 20), cells(rng, 30).mean(axis=0)
    prediction = (centroid + 1e-6 * (truth.mean(axis=0) - centroid))[None]
    assert pearson_delta(truth, prediction, centroid) == pytest.approx(1, abs=1e-6)


def test_nan_in_the_prediction_gives_nan():
    rng = np.random.default_rng(0)
    truth, prediction, centroid = cells(rng, 5), cells(rng, 5), cells(rng, 1)[0]
    prediction[0, 0] = np.nan
    assert np.isnan(pearson_delta(truth, prediction, centroid))
    assert np.isnan(mmd(truth, prediction))


def test_l1_worked_by_hand():
    truth = {"pre_adipo": 0.4, "adipo": 0.2, "other": 0.4, "lipo": 0.1}
    prediction = {"pre_adipo": 0.3, "adipo": 0.4, "other": 0.3, "lipo": 0.1}
    assert l1_distance(truth, prediction) == pytest.approx(0.75 * 0.4 + 0.25 * 0.25)


def test_l1_without_adipo_cells_takes_the_ratio_for_zero():
    truth = {"pre_adipo": 0.5, "adipo": 0.5, "other": 0.0, "lipo": 0.2}
    prediction = {"pre_adipo": 0.5, "adipo": 0.0, "other": 0.5, "lipo": 0.0}
    assert l1_distance(truth, prediction) == pytest.approx(0.75 * 1.0 + 0.25 * 0.4)
