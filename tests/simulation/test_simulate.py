"""Simulated competitions: the layout of the real one, a known truth, published figures."""

import tracemalloc

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

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
from simulation import calibration
from simulation.competition import simulate
from simulation.factors import WORLDS, Told
from simulation.world import draw_cells, draw_centroids, draw_world

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
    assert set(truth.obs["gene"]) == set(tiny[1].knockouts[12:15])
    assert not set(truth.obs["gene"]) & set(training.obs["gene"])
    control = training.obs["gene"] == CONTROL_LABEL
    x = training.X.toarray()
    np.testing.assert_allclose(truth.uns["control_centroid_train"], x[control].mean(axis=0))
    np.testing.assert_allclose(truth.uns["perturbed_centroid_train"], x[~control].mean(axis=0))
    local = pd.read_csv(tiny[0] / LOCAL_PROPORTIONS_FILE)
    assert set(local["gene"]) == set(tiny[1].knockouts[12:15])


def test_genes_to_predict_are_a_shuffled_part_of_var(tiny, training):
    genes = (tiny[0] / GENES_FILE).read_text().split()
    assert len(genes) == len(set(genes)) == round(60 * 10_238 / 21_592)
    assert set(genes) < set(training.var_names)
    assert genes != sorted(genes)


def test_some_targets_are_no_measured_gene(tiny, training):
    targets = (tiny[0] / PERTURBATIONS_FILE).read_text().split()
    assert set(targets) == set(tiny[1].knockouts[12:])
    assert len(targets) == 12
    assert set(targets) - set(training.var_names)
    assert set(targets) & set(training.var_names)


def test_same_seed_gives_the_same_values(tiny, tmp_path):
    simulate(tmp_path, **TINY, counts_layer=True)
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


def test_figures_agree_with_the_published_ones():
    figures = pd.concat([calibration.facts(seed) for seed in range(4)], axis=1).mean(axis=1)
    published, is_rho = calibration.PUBLISHED, figures.index.str.contains("rho")
    is_near = ~is_rho & (figures.index != "first axis in the median knock-out")
    np.testing.assert_allclose(figures[is_near], published[is_near], rtol=0.25, atol=0.02)
    np.testing.assert_allclose(figures[is_rho], published[is_rho], atol=0.2)


def test_centroids_without_cells_are_those_of_the_cells():
    world = draw_world(np.random.default_rng(0), n_genes=300, n_knockouts=40)
    rng = np.random.default_rng(1)
    strongest = np.argsort(-np.abs(world.proportions[:-1, 1] - world.proportions[-1, 1]))[:2]
    found = draw_centroids(world, world.knockouts[strongest], 10**6, rng)
    effects = found.perturbation_centroids.to_numpy() - found.control_centroid
    means = []
    for row in (-1, *strongest):
        pools = rng.integers(len(world.pool_shift), size=4000)
        means.append(draw_cells(world, np.full(4000, row), pools, rng).expression().mean(axis=0))
    from_cells = np.array(means[1:]) - means[0]
    for one, other in zip(effects, from_cells, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.9
        assert one @ other == pytest.approx(one @ one, rel=0.15)


def test_knock_out_lowers_its_own_transcript():
    world = draw_world(np.random.default_rng(0), n_genes=200, n_knockouts=60)
    seen = [i for i in range(60) if world.own_gene[i] >= 0]
    seen = [i for i in seen if world.log_fraction[world.own_gene[i]] > -9][:8]
    found = draw_centroids(world, world.knockouts[seen], 2000, np.random.default_rng(1))
    control = pd.Series(found.control_centroid, world.genes)
    own = [found.perturbation_centroids.loc[name, name] for name in world.knockouts[seen]]
    assert (own < control[world.knockouts[seen]]).all()


def likeness(told, n_knockouts=200):
    """Mean correlation of effects of knock-outs that share two sets, and of those without."""
    world = draw_world(np.random.default_rng(0), n_genes=300, n_knockouts=n_knockouts, told=told)
    member = pd.crosstab(world.gene_sets["gene"], world.gene_sets["set"])
    member = member.reindex(world.knockouts, fill_value=0).to_numpy(float)
    effects = world.module_scores[:-1] - world.module_scores[:-1].mean(axis=0)
    pairs = np.triu_indices(n_knockouts, 1)
    shared, alike = (member @ member.T)[pairs], np.corrcoef(effects)[pairs]
    return alike[shared >= 2].mean(), alike[shared == 0].mean()


def test_annotation_tells_which_knock_outs_resemble_each_other_as_far_as_the_world_says():
    related, others = likeness(Told(minor=0.8, first=0, own=0, process=0))
    assert related > others + 0.1
    related, others = likeness(WORLDS["nothing told"])
    assert related < others + 0.05


@pytest.mark.parametrize(("name", "expected"), [("own gene", -0.5), ("nothing told", 0.0)])
def test_what_rises_in_fat_cells_makes_fewer_of_them_when_knocked_out(name, expected):
    world = draw_world(np.random.default_rng(0), n_genes=900, n_knockouts=800, told=WORLDS[name])
    own = world.own_gene[:-1]
    rise = (world.loadings[1] - world.loadings[0])[own]
    rho = spearmanr(rise[own >= 0], world.proportions[:-1, 1][own >= 0])[0]
    assert rho == pytest.approx(expected, abs=0.15)


def test_gene_sets_file_names_a_gene_and_a_set_a_line(tiny):
    table = pd.read_csv(tiny[0] / "gene_sets.tsv", sep="\t")
    assert list(table) == ["gene", "set"]
    assert set(tiny[1].knockouts[15:]) & set(table["gene"])


def test_fresh_knock_outs_come_from_no_file(tiny, training):
    found = draw_centroids(tiny[1], tiny[1].knockouts[15:], 50, np.random.default_rng(0))
    assert found.perturbation_centroids.shape == (9, 60)
    assert not set(found.n_cells.index) & set(training.obs["gene"])
    np.testing.assert_allclose(found.proportions[["pre_adipo", "adipo", "other"]].sum(axis=1), 1)
    assert (found.proportions["lipo"] <= found.proportions["adipo"]).all()


def test_memory_does_not_grow_with_the_number_of_cells(tmp_path):
    peaks = []
    for n_cells in (1500, 6000):
        tracemalloc.start()
        simulate(tmp_path, n_cells=n_cells, n_genes=400, n_perturbations=12)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    values = 4500 * 400 * 0.37
    assert peaks[1] - peaks[0] < values * 4  # bytes; X itself takes 12 a value


def test_four_cells_a_perturbation_are_enough(tmp_path):
    simulate(tmp_path, n_cells=52, n_genes=10, n_perturbations=12)
    labels = ad.read_h5ad(tmp_path / TRAINING_FILE).obs["gene"]
    assert (labels.value_counts() == 4).all()
    assert len(labels) == 52
