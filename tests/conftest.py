"""Fixtures: a small simulated competition, and copies of it to break."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import main
from perturbation.competition import PROGRAM_FLAGS
from perturbation.data.summary import TrainingCentroids
from simulation.competition import simulate

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "data" / "demo"
MODULES = sorted({path.name for path in ROOT.glob("*.py")} - {"local_test.py"})
"""main.py, and what a user put beside it."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Tests of one file share a process, and so do all that look at the pages: these are dear."""
    for item in items:
        shared = "pages" if "all_pages" in item.fixturenames else item.path.name
        item.add_marker(pytest.mark.xdist_group(shared))


def pytest_terminal_summary(terminalreporter):
    """Say how many bad inputs were refused and how many odd ones accepted."""
    passed = [report.nodeid for report in terminalreporter.stats.get("passed", [])]
    refused = sum("::test_a_bad_input_gets_one_sentence" in name for name in passed)
    accepted = sum("::test_a_harmless_input_is_accepted" in name for name in passed)
    if refused or accepted:
        line = f"bad inputs: {refused} refused with one sentence each, {accepted} harmless accepted"
        terminalreporter.write_line(line)


def training_of(centroids, n_cells, control, proportions=None):
    """Training centroids of a table by hand, its programs all like the control."""
    return TrainingCentroids(
        genes=centroids.columns.to_numpy(dtype=str),
        perturbation_centroids=centroids,
        n_cells=n_cells[centroids.index],
        control_centroid=np.asarray(control),
        n_control_cells=100,
        program_centroids=pd.DataFrame([control] * 4, list(PROGRAM_FLAGS), centroids.columns),
        proportions=pd.DataFrame() if proportions is None else proportions,
    )


@pytest.fixture(scope="session")
def competition(tmp_path_factory) -> Path:
    """Twelve knock-outs, sixty genes, some of the targets not among them. Do not write into it."""
    path = tmp_path_factory.mktemp("competition")
    simulate(path, n_cells=400, n_genes=60, n_perturbations=12, n_targets=6, n_held_out=2)
    return path


@pytest.fixture
def competition_copy(competition, tmp_path) -> Path:
    return Path(shutil.copytree(competition, tmp_path / "competition"))


@pytest.fixture(scope="session")
def model_directory(competition, tmp_path_factory) -> Path:
    """A trained resources/. Do not write into it."""
    path = tmp_path_factory.mktemp("resources")
    shutil.copy(ROOT / "resources" / "gene_features.npz", path)
    main.train(str(competition), str(path))
    return path


@pytest.fixture
def infer(model_directory, tmp_path):
    """Call `infer` as the platform does; return the prediction directory."""

    def call(perturbations, genes, out=tmp_path / "prediction", model=model_directory):
        out.mkdir(exist_ok=True)
        main.infer(
            data_directory_path=None,
            prediction_directory_path=str(out),
            prediction_h5ad_file_path=str(out / "prediction.h5ad"),
            program_proportion_csv_file_path=str(out / "predict_program_proportion.csv"),
            model_directory_path=str(model),
            predict_perturbations=perturbations,
            genes_to_predict=genes,
        )
        return out

    return call


@pytest.fixture(scope="session")
def all_pages(tmp_path_factory) -> dict:
    """The pages of the demo and of a competition of full gene count: (paths, model, run) each."""
    from tests.evaluation import pages  # here, as scanpy takes seconds to import

    return pages.all_pages(tmp_path_factory.mktemp("pages"))
