"""The same input gives the same bytes, and neither threads nor blocks nor seeds matter."""

import os
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

import main
from evaluation.reading import read_names
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.model.gene_features import load_gene_features
from perturbation.output import prediction_file
from perturbation.output.model_file import load_model
from simulation.competition import simulate
from tests.conftest import ROOT

TRAIN_AND_PREDICT = """
import sys
import numpy as np
import main
from perturbation.model.gene_features import load_gene_features
from perturbation.output.model_file import load_model
from evaluation.reading import read_names

data, out = sys.argv[1:]
main.train(data, out)
perturbations = read_names(f"{data}/predict_perturbations.txt")
files = f"{out}/prediction.h5ad", f"{out}/predict_program_proportion.csv"
genes = read_names(f"{data}/genes_to_predict.txt")
main.infer(None, None, *files, out, perturbations, genes)
model = load_model(out)
features = load_gene_features(f"{out}/gene_features.npz")
predictor = main.shipped_predictor().fit(model.training, features)
np.save(f"{out}/centroids.npy", predictor.predict(perturbations))
"""
FILES = ("model.npz", "prediction.h5ad", "predict_program_proportion.csv")


@pytest.fixture(scope="module")
def larger_competition(tmp_path_factory):
    """Return one large enough for linear algebra to use several threads."""
    path = tmp_path_factory.mktemp("larger")
    simulate(path, n_cells=900, n_genes=1500, n_perturbations=30, n_targets=10, n_held_out=2)
    return path


@pytest.fixture(scope="module")
def runs(larger_competition, tmp_path_factory):
    """Return what three processes wrote, by number of threads and seed of Python's hashes."""
    found, processes = {}, []
    for threads, hash_seed in (("1", "1"), ("1", "2"), ("2", "3")):
        out = tmp_path_factory.mktemp("run")
        shutil.copy(ROOT / "resources" / "gene_features.npz", out)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads) | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", TRAIN_AND_PREDICT, larger_competition, out]
        processes.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        )
        found[threads, hash_seed] = out
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    return found


def test_two_processes_write_the_same_bytes(runs):
    one, two = runs["1", "1"], runs["1", "2"]
    for name in FILES:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_threads_choose_the_same_cells_and_change_no_centroid(runs):
    one, two = runs["1", "1"], runs["2", "3"]
    models = load_model(one), load_model(two)
    np.testing.assert_array_equal(models[0].base_cells, models[1].base_cells)
    np.testing.assert_allclose(
        *(m.training.perturbation_centroids for m in models), rtol=0, atol=1e-9
    )
    predicted = [np.load(out / "centroids.npy") for out in (one, two)]
    np.testing.assert_allclose(*predicted, rtol=0, atol=1e-9)


def test_memory_and_disk_write_the_same_bytes(competition, infer, tmp_path, monkeypatch):
    perturbations = read_names(competition / "predict_perturbations.txt")
    genes = read_names(competition / "genes_to_predict.txt")
    written = []
    for name, share in (("disk", 0.0), ("memory", 1.0)):
        monkeypatch.setattr(prediction_file, "SHARE_OF_MEMORY", share)
        out = infer(perturbations, genes, out=tmp_path / name)
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert written[0] == written[1]


@pytest.mark.parametrize("cells_per_block", [1, 31, 10_000])
def test_the_block_of_the_reader_changes_nothing(competition, cells_per_block):
    one, other = (
        summarise(open_dataset(competition), **size)
        for size in ({}, {"cells_per_block": cells_per_block})
    )
    np.testing.assert_array_equal(*(s.training.perturbation_centroids for s in (one, other)))
    np.testing.assert_array_equal(*(s.training.control_centroid for s in (one, other)))
    np.testing.assert_array_equal(one.cells.toarray(), other.cells.toarray())
    np.testing.assert_array_equal(one.cell_labels, other.cell_labels)


def test_a_perturbation_is_predicted_alike_alone_and_among_others(competition, model_directory):
    model = load_model(model_directory)
    features = load_gene_features(model_directory / "gene_features.npz")
    predictor = main.shipped_predictor().fit(model.training, features)
    asked = [
        *read_names(competition / "predict_perturbations.txt"),
        model.training.perturbation_centroids.index[0],
    ]
    together = predictor.predict(asked)
    alone = np.concatenate([predictor.predict([name]) for name in asked])
    backwards = predictor.predict(asked[::-1])[::-1]
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-9)
    np.testing.assert_allclose(backwards, together, rtol=0, atol=1e-9)


def test_no_global_random_state_is_used_or_changed(competition, infer, model_directory, tmp_path):
    genes = read_names(competition / "genes_to_predict.txt")
    written = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the global state is what is tested
        before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
        out = tmp_path / str(seed)
        main.train(str(competition), str(out))
        infer(["NEW"], genes, out=out)
        assert (random.getstate(), str(np.random.get_state())) == before  # noqa: NPY002
        written.append([(out / name).read_bytes() for name in FILES])
    assert written[0] == written[1]
