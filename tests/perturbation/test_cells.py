import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist

from perturbation.competition import MMD_BANDWIDTHS
from perturbation.model.cells import BaseCells, cells_at, herded
from perturbation.model.mmd_kernel import mmd_kernel


@pytest.fixture
def cells():
    return np.maximum(np.random.default_rng(0).normal(1, 2, (40, 30)), 0)


def test_mean_is_exact_and_values_are_not_negative(cells):
    base = BaseCells(cells)
    for centroid in (cells.mean(axis=0), np.zeros(30), np.full(30, 16.6), cells.mean(axis=0) / 50):
        moved = base.with_mean(centroid)
        assert moved.dtype == np.float32
        assert moved.min() >= 0
        np.testing.assert_allclose(moved.mean(axis=0, dtype=np.float64), centroid, atol=1e-5)


def test_the_cells_own_mean_leaves_them_as_they_are(cells):
    np.testing.assert_allclose(BaseCells(cells).with_mean(cells.mean(axis=0)), cells, atol=1e-5)


def test_a_shift_by_hand():
    # 4, 1, 0 with mean 1: lowering by 1 gives 3, 0, 0.
    moved = BaseCells(np.array([[4.0], [1.0], [0.0]])).with_mean(np.array([1.0]))
    np.testing.assert_allclose(moved, [[3], [0], [0]], atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0, 17, width=32), min_size=1, max_size=20),
    st.floats(0, 17),
)
def test_any_mean_is_reached_from_any_cells(values, centroid):
    moved = BaseCells(np.array(values)[:, None]).with_mean(np.array([centroid]))
    assert moved.min() >= 0
    assert moved.mean(dtype=np.float64) == pytest.approx(centroid, abs=1e-5)


def test_kernel_is_the_published_sum_over_bandwidths(cells):
    distances = cdist(cells, cells, "sqeuclidean")
    expected = sum(np.exp(-distances / bandwidth) for bandwidth in MMD_BANDWIDTHS)
    np.testing.assert_allclose(mmd_kernel(cells), expected, rtol=1e-9)


def test_herded_cells_are_closer_to_all_cells_than_random_ones_at_every_prefix():
    rng = np.random.default_rng(1)
    cells = rng.normal(0, 20, (300, 12)) + 60 * rng.integers(0, 2, (300, 1))
    kernel = mmd_kernel(cells)

    def distance(rows):
        return kernel[np.ix_(rows, rows)].mean() - 2 * kernel[rows].mean()

    chosen = herded(sparse.csr_array(cells), np.arange(300), 40)
    assert len(set(chosen)) == 40
    for size in (5, 10, 20, 40):
        random = [distance(rng.choice(300, size, replace=False)) for _ in range(50)]
        assert distance(chosen[:size]) < min(random)


def test_few_candidates_are_used_again(cells):
    chosen = herded(sparse.csr_array(cells), np.arange(3, 10), 20)
    times = np.bincount(chosen).tolist()
    assert (times[:3], sorted(times[3:])) == ([0, 0, 0], [2, 3, 3, 3, 3, 3, 3])


def test_cells_are_moved_to_each_centroid_in_turn(cells):
    found = [rows.copy() for rows in cells_at(cells, (np.full(30, float(n)) for n in range(9)))]
    np.testing.assert_allclose(np.mean(found, axis=(1, 2)), np.arange(9), atol=1e-5)
