import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import signatures
from evaluation.crossval.baselines import N_COMPONENTS, RIDGE, BilinearRegression
from perturbation.errors import InputError
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


def test_every_rung_is_scored_on_negative_effects_too(file, capsys):
    signatures.main([str(file), "--train", "5", "--test", "3", "--splits", "2", "--json"])
    scores = json.loads(capsys.readouterr().out)
    assert list(scores) == list(signatures.RUNGS)
    assert all(-1 <= score["mean"] <= 1 for score in scores.values())


def test_the_same_seed_draws_the_same_splits(file, capsys):
    arguments = [str(file), "--train", "5", "--test", "3", "--splits", "2", "--seed"]
    tables = []
    for seed in ("3", "3", "4"):
        signatures.main([*arguments, seed])
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1] != tables[2]


def test_shuffling_gives_every_gene_the_knowledge_about_one_of_them():
    features = signatures.load_gene_features(signatures.FEATURES)
    genes = pd.Index(["TP53", "MDM2", "MYC", "NOBODY"])
    mixed = signatures.shuffled(features, genes, np.random.default_rng(0))
    own = [features.row_of.get(gene, -1) for gene in genes]
    assert sorted(mixed.row_of[gene] for gene in genes) == sorted(own)


def test_asking_for_more_perturbations_than_the_file_has_is_told(file):
    with pytest.raises(SystemExit, match=r"ask for 9 perturbations, the file has 8"):
        signatures.main([str(file), "--train", "6", "--test", "3"])


def test_a_file_without_values_is_told(tmp_path):
    np.savez(tmp_path / "bare.npz", genes=np.array(["A"]))
    with pytest.raises(InputError, match=r"bare\.npz is no npz file with perturbations"):
        signatures.read_signatures(tmp_path / "bare.npz")
