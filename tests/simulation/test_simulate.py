"""Simulated competitions: the layout of the real one, a known truth, published figures."""

import tracemalloc

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest

from perturbation.competition import (
    CONTROL_LABEL,
    GENES_FILE,
    LOCAL_PROPORTIONS_FILE,
    LOCAL_TRUTH_FILE,
    PERTURBATIONS_FILE,
    PROGRAM_FLAGS,
    PROPORTIONS_FILE,
    TRAINING_FILE,
)
from perturbation.errors import InputError
from simulation.competition import facts, main, simulate
from simulation.h5ad_storage import chunk_length, rewrite_x
from simulation.world import draw_world, expected_values

TINY = {"n_cells": 400, "n_genes": 60, "n_perturbations": 12, "n_held_out": 3, "n_targets": 9}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    return path, simulate(path, **TINY, counts_layer=True, gene_sets=path / "gene_sets.tsv")


@pytest.fixture(scope="module")
def training(tiny):
    return ad.read_h5ad(tiny[0] / TRAINING_FILE)


def test_directory_holds_the_competitions_files(tmp_path):
    simulate(tmp_path, **TINY)
    assert {file.name for file in tmp_path.iterdir()} == {
        TRAINING_FILE,
        LOCAL_TRUTH_FILE,
        PROPORTIONS_FILE,
        LOCAL_PROPORTIONS_FILE,
        PERTURBATIONS_FILE,
        GENES_FILE,
        "signature_genes.csv",
    }


def test_training_file_has_the_published_layout(training):
    assert training.shape == (400, 60)
    assert training.X.format == "csr"
    assert training.X.dtype == np.float64
    assert training.X.has_sorted_indices
    assert list(training.obs) == [
        *("nCount_RNA", "nFeature_RNA", "nCount_guide", "nFeature_guide", "percent.mt"),
        *("SampleID", "Day", "num_features", "feature_call", "num_umis", "gene", *PROGRAM_FLAGS),
    ]
    assert list(training.var) == []
    assert training.obs["gene"].dtype == "category"
    assert training.obs["gene"].nunique() == 13
    assert training.obs["SampleID"].nunique() == 8


def test_x_is_log2_of_counts_per_100_000(training):
    counts, depth = training.layers["counts"], training.obs["nCount_RNA"].to_numpy()
    expected = np.log2(1 + 1e5 * counts.toarray() / depth[:, None])
    np.testing.assert_allclose(training.X.toarray(), expected, rtol=1e-14)
    np.testing.assert_array_equal(np.diff(training.X.indptr), training.obs["nFeature_RNA"])
    assert (counts.data > 0).all()
    assert (counts.data == np.rint(counts.data)).all()


def test_guides_belong_to_the_knocked_out_gene(training):
    of_guide = training.obs["feature_call"].astype(str).str.rsplit("-", n=1).str[0]
    assert (of_guide == training.obs["gene"].astype(str)).all()


def test_flags_are_one_program_and_lipo_only_within_adipo(training):
    flags = training.obs[list(PROGRAM_FLAGS)]
    assert (flags[["pre_adipo", "adipo", "other"]].sum(axis=1) == 1).all()
    assert (flags["lipo"] <= flags["adipo"]).all()


def test_proportions_are_shares_of_the_cells(tiny, training):
    table = pd.read_csv(tiny[0] / PROPORTIONS_FILE, index_col="gene")
    assert list(table) == [*PROGRAM_FLAGS, "lipo_adipo"]
    of_cells = training.obs.groupby("gene", observed=True)[list(PROGRAM_FLAGS)].mean()
    np.testing.assert_allclose(table.loc[of_cells.index, list(PROGRAM_FLAGS)], of_cells)
    assert CONTROL_LABEL in table.index


def test_local_truth_is_dense_and_holds_the_training_centroids(tiny, training):
    truth = ad.read_h5ad(tiny[0] / LOCAL_TRUTH_FILE)
    assert isinstance(truth.X, np.ndarray)
    assert truth.X.dtype == np.float64
    assert list(truth.obs) == ["gene"]
    assert set(truth.obs["gene"]) == set(tiny[1].held_out)
    assert not set(truth.obs["gene"]) & set(training.obs["gene"])
    control = training.obs["gene"] == CONTROL_LABEL
    x = training.X.toarray()
    np.testing.assert_allclose(truth.uns["control_centroid_train"], x[control].mean(axis=0))
    np.testing.assert_allclose(truth.uns["perturbed_centroid_train"], x[~control].mean(axis=0))
    local = pd.read_csv(tiny[0] / LOCAL_PROPORTIONS_FILE)
    assert set(local["gene"]) == set(tiny[1].held_out)


def test_genes_to_predict_are_a_shuffled_part_of_var(tiny, training):
    genes = (tiny[0] / GENES_FILE).read_text().split()
    assert len(genes) == len(set(genes)) == round(60 * 10_238 / 21_592)
    assert set(genes) < set(training.var_names)
    assert genes != sorted(genes)


def test_some_targets_are_no_measured_gene(tiny, training):
    targets = (tiny[0] / PERTURBATIONS_FILE).read_text().split()
    assert set(targets) == {*tiny[1].held_out, *tiny[1].targets}
    assert len(targets) == 12
    assert set(targets) - set(training.var_names)
    assert set(targets) & set(training.var_names)


def test_same_seed_gives_the_same_values_on_any_number_of_threads(tiny, tmp_path):
    simulate(tmp_path, **TINY, counts_layer=True, n_threads=1)
    again, first = (ad.read_h5ad(path / TRAINING_FILE) for path in (tmp_path, tiny[0]))
    assert (again.X != first.X).nnz == 0
    pd.testing.assert_frame_equal(again.obs, first.obs)
    for name in (GENES_FILE, PERTURBATIONS_FILE, LOCAL_PROPORTIONS_FILE):
        assert (tmp_path / name).read_bytes() == (tiny[0] / name).read_bytes()


def test_another_seed_gives_another_competition(tiny, training, tmp_path):
    simulate(tmp_path, **TINY, seed=1)
    other = ad.read_h5ad(tmp_path / TRAINING_FILE)
    assert (other.X != training.X).nnz > 1000


def test_cells_of_a_pool_tend_to_stand_together(training):
    pools = training.obs["SampleID"].to_numpy()
    assert 0.3 < (pools[1:] == pools[:-1]).mean() < 1


def test_small_size_is_sorted_by_gene(tmp_path):
    simulate(tmp_path, **TINY, order="perturbation")
    labels = ad.read_h5ad(tmp_path / TRAINING_FILE).obs["gene"].astype(str)
    assert labels.is_monotonic_increasing


def test_figures_agree_with_the_published_ones(tmp_path):
    simulation = simulate(tmp_path, n_cells=3000, n_genes=1500, n_perturbations=40)
    table = facts(simulation)
    of_x = table.iloc[:2]
    np.testing.assert_allclose(of_x["simulated"], of_x["published"], rtol=0.05)
    proportions = table.iloc[2:]
    np.testing.assert_allclose(proportions["simulated"], proportions["published"], atol=0.06)


def test_knock_out_lowers_its_own_transcript():
    world = draw_world(np.random.default_rng(0), n_genes=200, n_knockouts=60, null_share=1)
    seen = [i for i in range(60) if world.own_gene[i] >= 0]
    seen = [i for i in seen if world.log_fraction[world.own_gene[i]] > -9][:8]
    rng = np.random.default_rng(1)
    centroids, _ = expected_values(world, [CONTROL_LABEL, *world.knockouts[seen]], 200, rng)
    own = [centroids.loc[name, name] for name in world.knockouts[seen]]
    assert np.mean(own < centroids.loc[CONTROL_LABEL, world.knockouts[seen]]) == 1


def test_null_knock_outs_leave_all_other_genes_alone():
    world = draw_world(np.random.default_rng(0), n_genes=50, n_knockouts=200, null_share=0.6)
    null = (world.module_scores[:-1] == 0).all(axis=1)
    assert 0.45 < null.mean() < 0.75
    control = np.broadcast_to(world.proportions[-1], (null.sum(), 4))
    np.testing.assert_array_equal(world.proportions[:-1][null], control)
    assert (world.proportions[:-1][~null] != world.proportions[-1]).all()


def test_annotation_tells_which_knock_outs_resemble_each_other():
    world = draw_world(np.random.default_rng(0), n_genes=300, n_knockouts=200, null_share=0)
    member = pd.crosstab(world.gene_sets["gene"], world.gene_sets["set"])
    member = member.reindex(world.knockouts, fill_value=0).to_numpy(float)
    effects = world.module_scores[:-1] - world.module_scores[:-1].mean(axis=0)
    pairs = np.triu_indices(200, 1)
    shared, likeness = (member @ member.T)[pairs], np.corrcoef(effects)[pairs]
    assert likeness[shared >= 2].mean() > likeness[shared == 0].mean() + 0.15


def test_gene_sets_file_names_a_gene_and_a_set_a_line(tiny):
    table = pd.read_csv(tiny[0] / "gene_sets.tsv", sep="\t")
    assert list(table) == ["gene", "set"]
    assert set(tiny[1].targets) & set(table["gene"])


def test_fresh_knock_outs_come_from_no_file(tiny, training):
    centroids, proportions = expected_values(
        tiny[1].world, tiny[1].targets, 50, np.random.default_rng(0)
    )
    assert centroids.shape == (9, 60)
    assert not set(centroids.index) & set(training.obs["gene"])
    np.testing.assert_allclose(proportions[["pre_adipo", "adipo", "other"]].sum(axis=1), 1)
    assert (proportions["lipo"] < proportions["adipo"]).all()


def test_expected_values_are_the_means_of_the_cells_in_the_file(tmp_path):
    simulation = simulate(tmp_path, n_cells=8000, n_genes=60, n_perturbations=2, n_targets=2)
    rng = np.random.default_rng(0)
    centroids, _ = expected_values(simulation.world, simulation.training, 4000, rng)
    training = ad.read_h5ad(tmp_path / TRAINING_FILE)
    for name in simulation.training:
        observed = training[training.obs["gene"] == name].X.mean(axis=0)
        assert np.abs(observed - centroids.loc[name].to_numpy()).max() < 0.15


@pytest.mark.parametrize(
    "storage",
    [
        {"chunked": False},
        {"chunked": False, "indptr_dtype": "int64"},
        {"indptr_dtype": "int64", "indices_dtype": "int64"},
        {"compression": "gzip"},
        {"layout": "csc"},
        {"layout": "dense"},
    ],
    ids=str,
)
def test_every_way_of_storing_x_holds_the_same_values(tiny, training, tmp_path, storage):
    simulate(tmp_path, **TINY)
    rewrite_x(tmp_path / TRAINING_FILE, **storage)
    other = ad.read_h5ad(tmp_path / TRAINING_FILE)
    assert (training.X != other.X).sum() == 0
    pd.testing.assert_frame_equal(other.obs, training.obs)
    with h5py.File(tmp_path / TRAINING_FILE) as file:
        x = file["X"] if storage.get("layout") == "dense" else file["X/data"]
        assert (x.chunks is None) == (not storage.get("chunked", True))
        assert x.compression == storage.get("compression")
        if storage.get("layout") != "dense":
            assert file["X/indices"].dtype == storage.get("indices_dtype", "int32")
            assert file["X/indptr"].dtype == storage.get("indptr_dtype", "int32")


@pytest.mark.parametrize("n_values", [10, 5_000, 300_000, 40_000_000, 702_842_190])
def test_chunks_are_as_long_as_anndata_makes_them(tmp_path, n_values):
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        x = file.create_dataset("x", (n_values,), np.float64, maxshape=(None,))
        assert chunk_length(n_values, 8) == pytest.approx(x.chunks[0], abs=max(1, 1024 - n_values))


def test_memory_does_not_grow_with_the_number_of_cells(tmp_path):
    peaks = []
    for n_cells in (1500, 6000):
        tracemalloc.start()
        simulate(tmp_path, n_cells=n_cells, n_genes=400, n_perturbations=12, n_threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    values = 4500 * 400 * 0.37
    assert peaks[1] - peaks[0] < values * 4  # bytes; X itself takes 12 a value


def test_too_few_cells_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"51 cells .* at least 52"):
        simulate(tmp_path, n_cells=51, n_genes=10, n_perturbations=12)
    with pytest.raises(InputError, match=r"19 cells .* 5 held-out .* at least 20"):
        simulate(tmp_path, n_cells=60, n_genes=10, n_perturbations=12, n_truth_cells=19)


def test_four_cells_a_perturbation_are_enough(tmp_path):
    simulate(tmp_path, n_cells=52, n_genes=10, n_perturbations=12)
    labels = ad.read_h5ad(tmp_path / TRAINING_FILE).obs["gene"]
    assert (labels.value_counts() == 4).all()
    assert len(labels) == 52


def test_command_prints_the_published_figures_beside_its_own(tmp_path, monkeypatch, capsys):
    options = ["--cells", "100", "--genes", "40", "--perturbations", "9", "--targets", "3"]
    monkeypatch.setattr("sys.argv", ["simulate", str(tmp_path), *options])
    main()
    printed = capsys.readouterr().out
    assert "2,326" in printed
    assert "share of X stored" in printed
