from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from benchmarks import worlds
from benchmarks.cells import median_proportions
from evaluation.command import RESOURCES
from evaluation.crossval.baselines import N_COMPONENTS, RIDGE, BilinearRegression
from evaluation.held_out import centroids_without
from perturbation.competition import PROGRAM_FLAGS
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from simulation.factors import WORLDS
from tests.conftest import training_of


@pytest.fixture
def centroids():
    rng = np.random.default_rng(0)
    genes = [f"G{i}" for i in range(40)]
    return pd.DataFrame(rng.normal(3, 1, (15, 40)), index=[*genes[:14], "NOWHERE"], columns=genes)


def test_bilinear_regression_is_the_published_formula(centroids):
    y = centroids.to_numpy().T
    mean = y.mean(axis=1, keepdims=True)
    gram = np.cov(y, rowvar=False)
    components = np.linalg.eigh(gram)[1][:, ::-1][:, :N_COMPONENTS]
    g = (y - y.mean(axis=0)) @ components
    p = g[:14]
    ridge = RIDGE * np.eye(N_COMPONENTS)
    inverse_g, inverse_p = np.linalg.inv(g.T @ g + ridge), np.linalg.inv(p.T @ p + ridge)
    weights = inverse_g @ g.T @ (y - mean)[:, :14] @ p @ inverse_p
    expected = (g @ weights @ g[20] + mean[:, 0])[None]
    training = training_of(centroids, pd.Series(1, centroids.index), centroids.mean())
    found = BilinearRegression().fit(training).predict(["G20"])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_bilinear_regression_gives_the_mean_for_a_target_that_is_no_measured_gene(centroids):
    training = training_of(centroids, pd.Series(1, centroids.index), centroids.mean())
    found = BilinearRegression().fit(training).predict(["UNKNOWN", "G3"])
    np.testing.assert_allclose(found[0], centroids.mean(), atol=1e-12)
    assert not np.allclose(found[1], centroids.mean())


@pytest.fixture(scope="module")
def features():
    return load_gene_features(RESOURCES / GENE_FEATURES_FILE)


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "effects.npz"
    names = np.array(["TP53", "MDM2", "MYC", "MAX", "SOX2", "NANOG", "POU5F1", "KLF4"])
    genes = np.array([f"G{i}" for i in range(30)])
    np.savez(path, perturbations=names, genes=genes, values=rng.normal(size=(8, 30)))
    return path


def test_every_contender_is_scored_on_signatures_and_on_cells(file, features, tmp_path):
    rng = np.random.default_rng(2)
    labels = np.repeat(["NC", "TP53", "MDM2", "MYC", "MAX", "SOX2", "NANOG", "KLF4", "RUNX1"], 50)
    counts = rng.poisson(5, (len(labels), 20)).astype(np.float32)
    obs = pd.DataFrame({"gene": labels}, index=[str(i) for i in range(len(labels))])
    ad.AnnData(counts, obs=obs).write_h5ad(tmp_path / "cells.h5ad")
    for path in (file, tmp_path / "cells.h5ad"):
        scores, again = (worlds.score_screen(path, features, n_splits=2) for _ in range(2))
        assert list(scores) == list(worlds.CONTENDERS)
        assert scores.shape[0] == 4
        assert scores.notna().all(axis=None)
        pd.testing.assert_frame_equal(scores, again)


def test_the_knocked_out_gene_and_the_panel_decide_what_is_scored(file, features):
    whole, _ = worlds.read_screen(file)
    names = list(whole.perturbation_centroids.index)
    table = whole.perturbation_centroids.set_axis(["NANOG", *whole.genes[1:]], axis=1)
    whole = replace(whole, genes=table.columns.to_numpy(dtype=str), perturbation_centroids=table)
    programs = whole.program_centroids.set_axis(table.columns, axis=1)
    training = centroids_without(replace(whole, program_centroids=programs), names[:2])
    scores = []
    for own in (0.0, 50.0):
        truth = table.loc[["NANOG"]].copy()
        truth["NANOG"] += own
        scores.append(worlds.score_split(training, truth, 30, {worlds.SHIPPED: features}))
    pd.testing.assert_frame_equal(*scores)


def test_expression_is_the_level_of_the_control(file, tmp_path):
    with np.load(file) as effects:
        arrays = dict(effects)
    np.savez(tmp_path / "whole.npz", **arrays, expression=np.arange(30) * 10.0)
    (without, n_without), (whole, n_whole) = map(worlds.read_screen, (file, tmp_path / "whole.npz"))
    level = whole.control_centroid - without.control_centroid
    np.testing.assert_allclose(level, np.log2(1 + np.arange(30)))
    assert (n_without, n_whole) == (30, 1000)


def test_shuffling_gives_every_gene_the_knowledge_about_one_of_them(features):
    genes = pd.Index(["TP53", "MDM2", "MYC", "NOBODY"])
    mixed = worlds.shuffled(features, genes, np.random.default_rng(0))
    own = [features.row_of.get(gene, -1) for gene in genes]
    assert sorted(mixed.row_of[gene] for gene in genes) == sorted(own)


def test_worlds_are_scored_by_competition_and_stand_in_the_table_of_screens(
    file, features, monkeypatch
):
    for name, value in {"N_TRAINING": 20, "N_FRESH": 4, "N_GENES": 80, "N_PANEL": 40}.items():
        monkeypatch.setattr(worlds, name, value)
    directions, proportions = worlds.score_competition(WORLDS["all told"], seed=3)
    assert list(directions.index) == list(proportions.index) == [3] * 4
    directions = pd.concat([directions, worlds.score_competition(WORLDS["all told"], seed=4)[0]])
    scores = {"effects": worlds.score_screen(file, features, 1), "all told": directions}
    means, gaps = worlds.mean_scores(scores), worlds.paired_gaps(scores)
    assert list(means.index) == ["effects", "all told", "mean of all"]
    assert list(means) == list(worlds.CONTENDERS)
    assert gaps.loc["all told", "control"].startswith(
        f"{means.loc['all told', 'ships'] - means.loc['all told', 'control']:+.4f} ± "
    )


def test_median_proportions_sum_to_one(centroids):
    shares = pd.DataFrame(np.eye(3, 4), ["A", "B", "C"], list(PROGRAM_FLAGS))
    shares = pd.concat([shares, 2 * shares.loc[["A"]].set_axis(["NC"]), shares.set_axis([*"DEF"])])
    shares.loc[["A", "B", "C"], "pre_adipo"] += 0.5
    training = training_of(centroids, pd.Series(1, centroids.index), centroids.mean(), shares)
    found = median_proportions(training, None, None, ["X"])
    np.testing.assert_allclose(found[["pre_adipo", "adipo", "other"]].sum(axis=1), 1)
