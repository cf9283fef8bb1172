"""Every model of examples/ trains, answers and is short."""

import importlib
import shutil

import anndata as ad
import numpy as np
import pytest

from benchmarks.examples import FULL, NEIGHBOURS
from evaluation.local.stage_process import call_by_name
from evaluation.local.stages import infer_values
from evaluation.reading import read_names
from evaluation.scoring.checks import check_prediction, unusable_values
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from simulation.competition import simulate
from tests.conftest import DEMO, ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
TARGETS = ["ETS2", "NOT_A_GENE"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_under_80_lines(path):
    assert len(path.read_text().splitlines()) < 80


@pytest.mark.parametrize("name", FULL)
def test_a_full_example_answers_as_the_platform_demands(tmp_path, name):
    module = importlib.import_module(f"examples.{name}")
    resources, prediction = tmp_path / "resources", tmp_path / "prediction"
    for directory in (resources, prediction):
        directory.mkdir()
    shutil.copy(ROOT / "resources" / GENE_FEATURES_FILE, resources)
    genes = read_names(DEMO / "genes_to_predict.txt")
    of_train = {"data_directory_path": str(DEMO), "model_directory_path": str(resources)}
    call_by_name(module.train, of_train)
    call_by_name(module.infer, infer_values(DEMO, resources, prediction, TARGETS, genes))
    assert not check_prediction(prediction, TARGETS, genes)
    assert not unusable_values(prediction)


def test_cells_of_programs_keep_to_the_proportions_and_the_mean():
    """Gene i marks class i; a mean a little above their own moves all, and swaps none."""
    programs = importlib.import_module("examples.programs")
    of_class = [np.tile(10 * row, (100, 1)) for row in np.eye(4, 5, dtype=np.float32)]
    shares = np.array([0.5, 0.2, 0.25, 0.05])
    cells = programs.mixed_cells(of_class, shares, 10 * np.append(shares, 0.1))
    assert (cells > 5).sum(axis=0).tolist() == [50, 20, 25, 5, 0]
    np.testing.assert_allclose(cells.mean(axis=0), 10 * np.append(shares, 0.1), atol=1e-5)


def test_counts_within_pools_are_read_in_blocks_without_cells_of_few_genes(tmp_path):
    simulate(tmp_path, n_cells=600, n_genes=60, n_perturbations=6, counts_layer=True)
    counts = importlib.import_module("examples.counts")
    means, n = counts.group_means(tmp_path / "obesity_challenge_1.h5ad")
    cells = ad.read_h5ad(tmp_path / "obesity_challenge_1.h5ad")
    good = cells.obs["nFeature_RNA"] >= cells.obs["nFeature_RNA"].quantile(counts.FEWEST_GENES)
    rows = good & (cells.obs["gene"] == "NC") & (cells.obs["SampleID"] == "pool1")
    assert n["NC", "pool1"] == rows.sum()
    expected = np.asarray(cells[rows].X.mean(axis=0)).ravel()
    np.testing.assert_allclose(means.loc[("NC", "pool1")], expected, rtol=1e-6)


def test_neighbours_weigh_training_effects_by_shared_terms():
    training = summarise(open_dataset(DEMO)).training
    features = load_gene_features(ROOT / "resources" / GENE_FEATURES_FILE)
    module, _, name = NEIGHBOURS.predictor.partition(":")
    predictor = getattr(importlib.import_module(module), name)(k=1, doubt=0.0)
    predicted = predictor.fit(training, features).predict(["ETS2"])[0]
    names = list(training.perturbation_centroids.index)
    nearest = names[int(features.kernel("GO", ["ETS2"], names).argmax())]
    np.testing.assert_allclose(predicted, training.perturbation_centroids.loc[nearest], atol=1e-9)
