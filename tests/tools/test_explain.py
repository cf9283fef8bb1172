import shutil

import pytest

import main
from perturbation.model.predictors import Blend, ControlCentroid, OwnTranscript
from tests.conftest import DEMO, ROOT
from tools import explain


@pytest.fixture(scope="module")
def demo_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo_model")
    shutil.copy(ROOT / "resources" / "gene_features.npz", path)
    main.train(str(DEMO), str(path))
    return path


@pytest.fixture(autouse=True)
def _what_ships(monkeypatch):
    """Name it here, so that another shipped_predictor breaks no test of this."""
    monkeypatch.setattr(main, "shipped_predictor", lambda: OwnTranscript(Blend()))


def test_a_predictor_without_weights_is_explained_as_far_as_it_goes(
    demo_model, capsys, monkeypatch
):
    for predictor in (ControlCentroid(), OwnTranscript(ControlCentroid())):
        monkeypatch.setattr(main, "shipped_predictor", lambda p=predictor: p)
        assert explain.main(["ZNF24", "--model", str(demo_model)]) == 0
        text = capsys.readouterr().out
        assert "ControlCentroid is no mix of training knock-outs: no weights to show." in text
        assert "genes predicted to rise most" in text


def test_an_explanation_names_knockouts_terms_and_genes(demo_model, capsys):
    assert explain.main(["ZNF24", "--model", str(demo_model), "--top", "4"]) == 0
    text = capsys.readouterr().out
    assert "training knock-outs with the largest weights" in text
    assert "(GO:" in text
    assert "its own transcript" in text
    assert text.count("%") == 5


def test_a_measured_and_an_unknown_gene_are_told_apart(demo_model, capsys):
    explain.main(["PRDM14", "NO_GENE_AT_ALL", "--model", str(demo_model)])
    measured, unknown = capsys.readouterr().out.strip().split("\n\n")[1:]
    assert "PRDM14 was measured in training" in measured
    assert "Nothing is known about it" in unknown
    assert "not among the measured genes" in unknown


def test_without_a_model_it_says_to_train(tmp_path, capsys):
    assert explain.main(["PPARG", "--model", str(tmp_path)]) == 2
    assert "no model was trained yet" in capsys.readouterr().err
