"""The default run of local_test.py, on the embedded demo."""

import json
import shutil
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest

import local_test
from evaluation.local.answers import (
    constant_answer,
    read_local_truth,
    score_answer,
    written_answer,
)
from evaluation.local.places import Places, choose_data, choose_places
from evaluation.local.run import run_stages
from evaluation.scoring.platform import platform_scorer
from perturbation.errors import InputError
from tests.conftest import DEMO, MODULES, ROOT

METHOD = "# Method Description\n# Rationale\n# Data and Resources Used\n" + "A sentence.\n" * 15


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run local_test.py once in a submission directory of its own."""
    submission = tmp_path_factory.mktemp("submission")
    for name in (*MODULES, "perturbation"):
        (submission / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "resources", submission / "resources")
    (submission / "data").mkdir()
    (submission / "data" / "demo").symlink_to(DEMO)
    (submission / "Method description.md").write_text(METHOD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_test, "SUBMISSION", submission)
        status = local_test.main(["--json", str(submission / "run.json")])
    return submission, status


@pytest.fixture
def prediction(finished, tmp_path):
    """Copy the finished prediction, for a test to spoil."""
    source = finished[0] / "data" / "local_run" / "prediction"
    return Path(shutil.copytree(source, tmp_path / "prediction"))


def test_the_demo_is_accepted_and_scored(finished):
    submission, status = finished
    assert status == 0
    result = json.loads((submission / "run.json").read_text())
    assert result["faults"] == []
    assert set(result["stages"]) == {"train", "infer"}
    assert result["stages"]["train"]["peak_memory_bytes"] > 1e7
    ours, constant = result["scores"]["your_prediction"], result["scores"]["control_centroid"]
    assert ours["mean"]["mmd"] < constant["mean"]["mmd"]
    assert len(ours["perturbations"]) == 5


def test_the_demo_leaves_resources_alone(finished):
    submission, _ = finished
    assert not (submission / "resources" / "model.npz").exists()
    assert (submission / "data" / "local_run" / "resources" / "model.npz").exists()
    assert not (submission / "prediction").exists()


def test_a_rejected_prediction_exits_with_one_and_says_why(prediction, capsys):
    (prediction / "left_behind.h5").touch()
    assert local_test.main(["--data", str(DEMO), "--score-only", str(prediction)]) == 1
    assert "REJECTED" in capsys.readouterr().out


def test_score_only_of_no_directory_is_a_wrong_call(tmp_path, capsys):
    assert local_test.main(["--data", str(DEMO), "--score-only", str(tmp_path / "misspelt")]) == 2
    assert "misspelt is no directory" in capsys.readouterr().err


def test_score_only_prints_scores(prediction, capsys):
    local_test.main(["--data", str(DEMO), "--score-only", "--out", str(prediction)])
    assert "your prediction" in capsys.readouterr().out


def test_missing_data_is_one_sentence(tmp_path, capsys):
    assert local_test.main(["--data", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "genes_to_predict.txt is missing" in error
    assert len(error.splitlines()) == 1


def test_scores_are_those_of_the_naive_formula(prediction):
    truth = read_local_truth(DEMO)
    panel = np.arange(0, len(truth.genes), 2)
    scores = score_answer(
        truth, written_answer(prediction, truth.perturbations, truth.genes), [panel]
    )
    genes = [truth.genes[i] for i in panel]
    name = truth.perturbations[1]
    true = ad.read_h5ad(DEMO / "obesity_challenge_1_local_gtruth.h5ad")
    centroid = true.uns["perturbed_centroid_train"][true.var_names.get_indexer(genes)]
    true = true[true.obs["gene"] == name, genes].X
    predicted = ad.read_h5ad(prediction / "prediction.h5ad")
    predicted = predicted[predicted.obs["gene"] == name, genes].X.astype(np.float64)
    expected = np.corrcoef(true.mean(axis=0) - centroid, predicted.mean(axis=0) - centroid)[0, 1]
    assert scores.loc[name, "pearson_delta"] == pytest.approx(expected, abs=1e-12)


def test_a_prediction_without_direction_is_told(prediction, capsys):
    truth = read_local_truth(DEMO)
    file = ad.read_h5ad(prediction / "prediction.h5ad")
    order = pd.Index(truth.genes).get_indexer(file.var_names)
    file.X = np.tile(truth.perturbed_centroid[order].astype(np.float32), (file.n_obs, 1))
    file.write_h5ad(prediction / "prediction.h5ad")
    local_test.main(["--data", str(DEMO), "--score-only", str(prediction)])
    assert "is 0 by definition" in capsys.readouterr().out


def test_nan_spoils_the_mean_names_the_knockout_and_is_null_in_json(prediction, tmp_path, capsys):
    with h5py.File(prediction / "prediction.h5ad", "r+") as file:
        file["X"][7, 3] = np.nan
    arguments = ["--score-only", str(prediction), "--json", str(tmp_path / "scores.json")]
    assert local_test.main(["--data", str(DEMO), *arguments]) == 0
    printed = capsys.readouterr().out
    spoilt, *others = read_local_truth(DEMO).perturbations
    assert f"Scores of {spoilt} are NaN, so their means are" in printed
    assert "nan ± nan" in printed
    scores = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    ours = scores["scores"]["your_prediction"]
    assert ours["mean"]["mmd"] is ours["perturbations"][spoilt]["mmd"] is None
    assert all(ours["perturbations"][name]["mmd"] >= 0 for name in others)


@pytest.fixture
def competitions(tmp_path, monkeypatch):
    """Point the client at a checkout with a stand-in of the platform's scoring."""
    import crunch.store

    target = tmp_path / "competitions" / "broad-obesity-1" / "scoring"
    shutil.copytree(ROOT / "tests" / "client" / "competition_scripts", target)
    monkeypatch.setattr(crunch.store, "competitions_source", f"local://{tmp_path}")
    return target


def test_the_platform_scorer_agrees_with_ours(competitions, prediction):
    truth = read_local_truth(DEMO)
    score_by_platform, source = platform_scorer()
    assert str(competitions) in source
    panels = [np.arange(0, 50), np.arange(40, 90)]
    for answer in (
        lambda: written_answer(prediction, truth.perturbations, truth.genes),
        lambda: constant_answer(truth),
    ):
        theirs = score_by_platform(truth, answer(), panels)
        ours = score_answer(truth, answer(), panels)
        pd.testing.assert_frame_equal(theirs, ours, atol=1e-6, check_dtype=False)


def test_the_platform_scorer_is_named_in_the_output(competitions, prediction, capsys):
    arguments = ["--data", str(DEMO), "--score-only", str(prediction), "--scorer", "platform"]
    local_test.main(arguments)
    assert f"{competitions / 'scoring.py'}" in capsys.readouterr().out


def test_an_unreachable_platform_scorer_is_told(competitions, prediction, capsys):
    (competitions / "scoring.py").unlink()
    arguments = ["--data", str(DEMO), "--score-only", str(prediction), "--scorer", "platform"]
    assert local_test.main(arguments) == 2
    assert "cannot be reached at LocalCodeLoader" in capsys.readouterr().err


def test_own_data_comes_before_the_demo(tmp_path):
    for directory in (tmp_path / "data" / "demo", tmp_path / "data"):
        directory.mkdir(parents=True, exist_ok=True)
    (tmp_path / "data" / "demo" / "obesity_challenge_1.h5ad").touch()
    data, sentence = choose_data(tmp_path, None)
    assert data.name == "demo"
    assert "embedded demo" in sentence
    (tmp_path / "data" / "obesity_challenge_1.h5ad").touch()
    data, sentence = choose_data(tmp_path, None)
    assert data == tmp_path / "data"
    assert "competition's files" in sentence


def test_only_the_competitions_data_writes_to_resources(tmp_path):
    own = choose_places(tmp_path, tmp_path / "data", None, None)
    assert (own.model, own.prediction) == (tmp_path / "resources", tmp_path / "prediction")
    other = choose_places(tmp_path, tmp_path / "elsewhere", None, None)
    assert other.model == tmp_path / "data" / "local_run" / "resources"


def write_main(directory, body):
    (directory / "main.py").write_text(body)
    return directory


def test_an_old_prediction_does_not_survive_a_run_that_writes_none(tmp_path):
    write_main(tmp_path, "def infer():\n    pass\n")
    places = Places(tmp_path, DEMO, tmp_path / "model", tmp_path / "prediction")
    places.model.mkdir()
    places.prediction.mkdir()
    (places.prediction / "prediction.h5ad").touch()
    run_stages(places, read_local_truth(DEMO), trains=False)
    assert list(places.prediction.iterdir()) == []


def test_gene_features_reach_the_demos_model_and_leave_a_directory_of_the_users_alone(tmp_path):
    write_main(tmp_path, "def infer():\n    pass\n")
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "gene_features.npz").write_text("new")
    for model, expected in (("data/local_run/resources", "new"), ("own", "old")):
        file = tmp_path / model / "gene_features.npz"
        file.parent.mkdir(parents=True)
        file.write_text("old")
        places = Places(tmp_path, DEMO, file.parent.resolve(), tmp_path / "prediction")
        run_stages(places, read_local_truth(DEMO), trains=False)
        assert file.read_text() == expected


def test_gene_features_that_were_taken_away_are_gone_from_the_demos_model_too(tmp_path):
    write_main(tmp_path, "def infer():\n    pass\n")
    stale = tmp_path / "data" / "local_run" / "resources" / "gene_features.npz"
    stale.parent.mkdir(parents=True)
    stale.touch()
    places = Places(tmp_path, DEMO, stale.parent.resolve(), tmp_path / "prediction")
    run_stages(places, read_local_truth(DEMO), trains=False)
    assert not stale.exists()


def test_skipping_the_training_wants_a_model_of_the_same_data(competition, finished, tmp_path):
    submission, _ = finished
    places = choose_places(submission, competition, None, tmp_path / "prediction")
    with pytest.raises(InputError, match=r"was trained on 6,301 cells .*, other data than"):
        run_stages(places, None, trains=False)
    places = choose_places(submission, DEMO, tmp_path / "misspelt", tmp_path / "prediction")
    with pytest.raises(InputError, match=r"misspelt is no directory\. Give --model"):
        run_stages(places, None, trains=False)
    assert list(tmp_path.iterdir()) == []
