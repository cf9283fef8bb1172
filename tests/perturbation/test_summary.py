import shutil
import tracemalloc

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from evaluation.held_out import summary_without
from perturbation.competition import CONTROL_LABEL, PROPORTIONS_FILE, TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from simulation.competition import simulate


def centroids_of(summary):
    return summary.training.perturbation_centroids


@pytest.fixture(scope="module")
def summary(competition):
    return summarise(open_dataset(competition))


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
        centroids_of(summary),
        expected.drop(index=CONTROL_LABEL),
        rtol=1e-12,
        check_names=False,
    )
    np.testing.assert_allclose(
        summary.training.control_centroid, expected.loc[CONTROL_LABEL], rtol=1e-12
    )


def test_perturbed_centroid_is_the_mean_of_all_perturbed_cells(competition, summary):
    adata = ad.read_h5ad(competition / TRAINING_FILE)
    perturbed = adata[(adata.obs["gene"] != CONTROL_LABEL).to_numpy()]
    np.testing.assert_allclose(
        summary.training.perturbed_centroid,
        np.asarray(perturbed.X.mean(axis=0)).ravel(),
        rtol=1e-12,
    )


def test_the_sums_do_not_depend_on_the_block_size(competition, summary):
    other = summarise(open_dataset(competition), cells_per_block=3)
    np.testing.assert_array_equal(centroids_of(other), centroids_of(summary))
    np.testing.assert_array_equal(other.cells.toarray(), summary.cells.toarray())


def test_a_training_fold_holds_nothing_of_the_perturbations_left_out(summary):
    left_out = list(centroids_of(summary).index[:3])
    fold = summary_without(summary, left_out)
    for index in (
        centroids_of(fold).index,
        fold.training.n_cells.index,
        fold.training.proportions.index,
    ):
        assert not set(index) & set(left_out)
    assert not set(fold.cell_labels) & set(left_out)
    assert fold.cells.shape[0] == len(fold.cell_labels) == len(fold.cell_programs)
    rest = centroids_of(summary).drop(index=left_out)
    np.testing.assert_allclose(
        fold.training.perturbed_centroid,
        np.average(rest, axis=0, weights=summary.training.n_cells[rest.index]),
    )


def test_memory_does_not_grow_with_the_number_of_cells(tmp_path):
    peaks = []
    for n_cells in (1000, 4000):
        simulate(tmp_path, n_cells=n_cells, n_genes=500, n_perturbations=12)
        dataset = open_dataset(tmp_path)
        tracemalloc.start()
        summarise(dataset, cells_per_block=50)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    more_stored_values = 3000 * 500 * 0.37
    assert peaks[1] - peaks[0] < more_stored_values  # bytes; X itself takes 12 a value


def test_program_centroids_are_means_of_control_cells(competition, summary):
    cells = ad.read_h5ad(competition / TRAINING_FILE)
    for program, centroid in summary.training.program_centroids.iterrows():
        chosen = (cells.obs["gene"] == CONTROL_LABEL) & (cells.obs[program] == 1)
        assert chosen.any()
        expected = cells[chosen.to_numpy()].to_df().mean()
        np.testing.assert_allclose(centroid, expected, rtol=1e-12)


def test_the_cells_kept_of_a_label_do_not_depend_on_the_other_labels(competition, tmp_path):
    cells = ad.read_h5ad(competition / TRAINING_FILE)
    some = sorted(set(cells.obs["gene"]) - {CONTROL_LABEL})[:3]
    cells[cells.obs["gene"].isin([*some, CONTROL_LABEL]).to_numpy()].write_h5ad(
        tmp_path / TRAINING_FILE
    )
    shutil.copy(competition / PROPORTIONS_FILE, tmp_path)
    few, all_ = (summarise(open_dataset(place)) for place in (tmp_path, competition))
    rows = np.flatnonzero(np.isin(all_.cell_labels, [*some, CONTROL_LABEL]))
    np.testing.assert_array_equal(few.cells.toarray(), all_.cells[rows].toarray())
