import tracemalloc

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from perturbation.competition import CONTROL_LABEL, TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from simulation.competition import simulate


@pytest.fixture(scope="module")
def summary(competition):
    return summarise(open_dataset(competition), n_cells_kept=60)


@pytest.fixture(scope="module")
def cells(competition):
    return (
        ad.read_h5ad(competition / TRAINING_FILE)
        .to_df()
        .groupby(ad.read_h5ad(competition / TRAINING_FILE).obs["gene"].astype(str).to_numpy())
    )


def test_centroids_are_the_means_of_their_cells(summary, cells):
    expected = cells.mean()
    pd.testing.assert_frame_equal(
        summary.centroids, expected.drop(index=CONTROL_LABEL), rtol=1e-12, check_names=False
    )
    np.testing.assert_allclose(summary.control_centroid, expected.loc[CONTROL_LABEL], rtol=1e-12)


def test_perturbed_centroid_is_the_mean_of_all_perturbed_cells(competition, summary):
    adata = ad.read_h5ad(competition / TRAINING_FILE)
    perturbed = adata[(adata.obs["gene"] != CONTROL_LABEL).to_numpy()]
    np.testing.assert_allclose(
        summary.perturbed_centroid, np.asarray(perturbed.X.mean(axis=0)).ravel(), rtol=1e-12
    )


def test_the_sums_do_not_depend_on_the_block_size(competition, summary):
    other = summarise(open_dataset(competition), n_cells_kept=60, cells_per_block=3)
    np.testing.assert_array_equal(other.centroids, summary.centroids)
    np.testing.assert_array_equal(other.cells.toarray(), summary.cells.toarray())


def test_the_first_cells_of_every_label_are_kept_too_when_asked(competition):
    summary = summarise(open_dataset(competition), n_cells_kept=20, first_cells=5)
    adata = ad.read_h5ad(competition / TRAINING_FILE)
    for label in np.unique(summary.cell_labels):
        first = adata[(adata.obs["gene"] == label).to_numpy()][:5].X.toarray()
        np.testing.assert_array_equal(
            summary.cells[(summary.cell_labels == label) & (summary.cell_ranks < 5)].toarray(),
            first.astype(np.float32),
        )


def test_a_training_fold_holds_nothing_of_the_perturbations_left_out(summary):
    left_out = list(summary.centroids.index[:3])
    fold = summary.without(left_out)
    for index in (fold.centroids.index, fold.n_cells.index, fold.proportions.index):
        assert not set(index) & set(left_out)
    assert not set(fold.cell_labels) & set(left_out)
    assert fold.cells.shape[0] == len(fold.cell_labels) == len(fold.cell_programs)
    rest = summary.centroids.drop(index=left_out)
    np.testing.assert_allclose(
        fold.perturbed_centroid, np.average(rest, axis=0, weights=summary.n_cells[rest.index])
    )


def test_memory_does_not_grow_with_the_number_of_cells(tmp_path):
    peaks = []
    for n_cells in (1000, 4000):
        simulate(tmp_path, n_cells=n_cells, n_genes=500, n_perturbations=12)
        dataset = open_dataset(tmp_path)
        tracemalloc.start()
        summarise(dataset, n_cells_kept=60, cells_per_block=50)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    more_stored_values = 3000 * 500 * 0.37
    assert peaks[1] - peaks[0] < more_stored_values  # bytes; X itself takes 12 a value
