from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from benchmarks import screens, worlds
from benchmarks.cells import median_proportions
from evaluation.crossval.baselines import N_COMPONENTS, RIDGE, BilinearRegression
from perturbation.competition import PROGRAM_FLAGS
from perturbation.errors import InputError
from perturbation.model.gene_features import load_gene_features
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


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "effects.npz"
    names = np.array(["TP53", "MDM2", "MYC", "MAX", "SOX2", "NANOG", "POU5F1", "KLF4"])
    genes = np.array([f"G{i}" for i in range(30)])
    np.savez(path, perturbations=names, genes=genes, values=rng.normal(size=(8, 30)))
    return path


def test_every_contender_is_scored_in_one_table_over_all_files(file, tmp_path, capsys):
    rng = np.random.default_rng(2)
    labels = np.repeat(["NC", "TP53", "MDM2", "MYC", "MAX", "SOX2", "NANOG", "KLF4", "RUNX1"], 50)
    counts = rng.poisson(5, (len(labels), 20)).astype(np.float32)
    obs = pd.DataFrame({"gene": labels}, index=[str(i) for i in range(len(labels))])
    ad.AnnData(counts, obs=obs).write_h5ad(tmp_path / "cells.h5ad")
    screens.main([str(file), str(tmp_path / "cells.h5ad"), "--splits", "2"])
    header, *rows = capsys.readouterr().out.splitlines()
    assert all(name in header for name in screens.CONTENDERS)
    assert [row.split()[0] for row in rows[-3:]] == ["effects", "cells", "mean"]


def test_the_same_command_prints_the_same(file, capsys):
    tables = []
    for _ in range(2):
        screens.main([str(file), "--splits", "2"])
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


def test_the_knocked_out_gene_and_the_panel_decide_what_is_scored(file):
    screen = screens.read_screen(file)
    whole = replace(screen.whole, genes=screen.whole.genes.copy())
    names = list(whole.perturbation_centroids.index)
    table = whole.perturbation_centroids.set_axis(["NANOG", *whole.genes[1:]], axis=1)
    whole = replace(whole, genes=table.columns.to_numpy(dtype=str), perturbation_centroids=table)
    features = {screens.SHIPPED: load_gene_features(screens.FEATURES)}
    programs = whole.program_centroids.set_axis(table.columns, axis=1)
    training = replace(whole, program_centroids=programs).without(names[:2])
    scores = []
    for own in (0.0, 50.0):
        truth = table.loc[["NANOG"]].copy()
        truth["NANOG"] += own
        scores.append(screens.score_split(training, truth, 30, features))
    pd.testing.assert_frame_equal(*scores)


def test_expression_is_the_level_of_the_control(file, tmp_path):
    with np.load(file) as effects:
        arrays = dict(effects)
    np.savez(tmp_path / "whole.npz", **arrays, expression=np.arange(30) * 10.0)
    without, whole = (screens.read_screen(p) for p in (file, tmp_path / "whole.npz"))
    level = whole.whole.control_centroid - without.whole.control_centroid
    np.testing.assert_allclose(level, np.log2(1 + np.arange(30)))
    assert (without.n_panel, whole.n_panel) == (30, 1000)


def test_shuffling_gives_every_gene_the_knowledge_about_one_of_them():
    features = load_gene_features(screens.FEATURES)
    genes = pd.Index(["TP53", "MDM2", "MYC", "NOBODY"])
    mixed = screens.shuffled(features, genes, np.random.default_rng(0))
    own = [features.row_of.get(gene, -1) for gene in genes]
    assert sorted(mixed.row_of[gene] for gene in genes) == sorted(own)


def test_too_few_knockouts_are_told(file, tmp_path):
    with np.load(file) as effects:
        few = {"perturbations": effects["perturbations"][:7], "values": effects["values"][:7]}
        np.savez(tmp_path / "few.npz", genes=effects["genes"], **few)
    with pytest.raises(SystemExit, match=r"few has 7 knock-outs, expected at least 8"):
        screens.main([str(tmp_path / "few.npz")])


def test_a_file_without_values_is_told(tmp_path):
    np.savez(tmp_path / "bare.npz", genes=np.array(["A"]))
    with pytest.raises(InputError, match=r"bare\.npz is no npz file with perturbations"):
        screens.read_screen(tmp_path / "bare.npz")


def test_worlds_are_scored_by_competition_and_stand_in_the_table_of_screens(file, monkeypatch):
    for name, value in {"N_TRAINING": 20, "N_FRESH": 4, "N_GENES": 80, "N_PANEL": 40}.items():
        monkeypatch.setattr(worlds, name, value)
    monkeypatch.setattr(worlds, "WORLDS", {"all told": WORLDS["all told"]})
    directions, proportions = worlds.score_worlds(n_competitions=2)
    assert (
        list(directions["all told"].index)
        == list(proportions["all told"].index)
        == [0] * 4 + [1] * 4
    )
    text = screens.table(screens.score_files([file], 1) | directions, list(screens.CONTENDERS))
    assert [row.split("  ")[0] for row in text.splitlines()[1:]] == [
        "effects",
        "all told",
        "mean of all",
    ]
    assert "nan" not in text


def test_median_proportions_sum_to_one(centroids):
    shares = pd.DataFrame(np.eye(3, 4), ["A", "B", "C"], list(PROGRAM_FLAGS))
    shares = pd.concat([shares, 2 * shares.loc[["A"]].set_axis(["NC"]), shares.set_axis([*"DEF"])])
    shares.loc[["A", "B", "C"], "pre_adipo"] += 0.5
    training = training_of(centroids, pd.Series(1, centroids.index), centroids.mean(), shares)
    found = median_proportions(training, None, None, ["X"])
    np.testing.assert_allclose(found[["pre_adipo", "adipo", "other"]].sum(axis=1), 1)
