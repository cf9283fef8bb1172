import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist

from perturbation.competition import MMD_BANDWIDTHS
from perturbation.model.cells import BaseCells, cells_at, herded
from perturbation.model.mmd_kernel import kernel_slope, mmd_kernel
from perturbation.model.moved_cells import moved


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


def test_zeros_stay_zero_where_values_above_zero_can_carry_the_mean(cells):
    base = BaseCells(cells)
    for change in (-0.1, 0.1):
        shifted = base.with_mean(np.maximum(cells.mean(axis=0) + change, 0))
        assert (shifted[cells == 0] == 0).all()
        assert (shifted[cells > 1] > 0).all()


def test_a_gene_with_too_few_values_above_zero_is_raised_as_a_whole():
    # Two values of four must carry a mean of 3 in place of 1: t = 4 is too much, all gain 2.
    moved = BaseCells(np.array([[3.0, 0], [1, 0], [0, 0], [0, 0]])).with_mean(np.array([3.0, 0.5]))
    np.testing.assert_allclose(moved, [[5, 0.5], [3, 0.5], [2, 0.5], [2, 0.5]], atol=1e-6)


@pytest.fixture(scope="module")
def population():
    """Cells of two kinds, of the competition's distances, many values zero; some to start from."""
    rng = np.random.default_rng(3)
    kinds = rng.normal(3, 1.5, (2, 300))
    cells = kinds[rng.integers(0, 2, 900)] + rng.normal(0, 2.2, (900, 300))
    return np.maximum(cells, 0).astype(np.float32)


def moved_to(population, start):
    mean = population.mean(axis=0, dtype=np.float64)
    rng = np.random.default_rng(0)
    return moved(start, population, lambda cells: BaseCells(cells).with_mean(mean), rng)


def test_moved_cells_are_closer_to_cells_they_never_saw_on_any_panel(population):
    rng = np.random.default_rng(6)
    seen, unseen = population[:600], population[600:]
    start = seen[herded(sparse.csr_array(seen), np.arange(600), 60)]
    end = moved_to(seen, start)
    for genes in (np.arange(300), np.arange(0, 300, 2), np.arange(1, 300, 2)):
        before, after = (mmd_to(unseen[:, genes], cells[:, genes]) for cells in (start, end))
        assert after < before
    for size in (15, 30):
        drawn = [rng.choice(600, size, replace=False) for _ in range(20)]
        assert mmd_to(unseen, end[:size]) < min(mmd_to(unseen, seen[rows]) for rows in drawn)


def mmd_to(population, cells):
    kernel = mmd_kernel(np.concatenate([cells, population]).astype(np.float64))
    n = len(cells)
    return kernel[:n, :n].mean() - 2 * kernel[:n, n:].mean() + kernel[n:, n:].mean()


def test_moved_cells_keep_zeros_mean_spread_and_range(population):
    start = population[:60]
    end = moved_to(population, start)
    assert (end[start == 0] == 0).mean() > 0.95  # the rest is of genes raised as a whole
    assert abs((end == 0).mean() - (start == 0).mean()) < 0.1
    np.testing.assert_allclose(end.mean(axis=0), population.mean(axis=0), atol=1e-3)
    assert 0.8 < end.var(axis=0).sum() / start.var(axis=0).sum() < 1.2
    assert end.max() < population.max() + 1
    assert (end * 1024 == np.round(end * 1024)).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("outlier", [0.0, 1e4])
def test_no_data_make_the_moves_diverge(population, scale, outlier):
    cells = population[:200, :40] * scale
    cells[0] += outlier
    end = moved_to(cells, cells[:20])
    assert np.isfinite(end).all()
    assert end.min() >= 0
    assert end.max() <= 2 * cells.max() + 1


def test_the_slope_is_that_of_the_kernel(cells):
    near = np.concatenate([cells[:1], cells[:1]])
    steps = np.zeros_like(near)
    steps[1, 0], steps[0, 0] = 1e-4, -1e-4
    other = cells[1:2]
    kernel = [mmd_kernel(np.concatenate([near[[i]] + steps[[i]], other]))[0, 1] for i in (0, 1)]
    change = (kernel[1] - kernel[0]) / 2e-4
    slope = kernel_slope(near[:1], other)[0, 0]
    np.testing.assert_allclose(change, -2 * slope * (near[0, 0] - other[0, 0]), rtol=1e-5)
