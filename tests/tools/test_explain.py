import numpy as np
import pytest

import main
from evaluation.crossval.baselines import ControlCentroid
from perturbation.model.gene_features import load_gene_features
from perturbation.model.predictors import Blend, OwnTranscript
from tests.perturbation.test_gene_features import write
from tools import explain
from tools.explain import _shared


@pytest.fixture(scope="module")
def demo_model(all_pages):
    return all_pages["demo"][1]


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


def test_any_predictor_with_coefficients_is_explained(demo_model, capsys, monkeypatch):
    class Copies(ControlCentroid):
        def coefficients(self, perturbations):
            return np.array([[0.0, 3.0, *[0.0] * 15, 1.0]] * len(perturbations))

    monkeypatch.setattr(main, "shipped_predictor", Copies)
    explain.main(["ZNF24", "--model", str(demo_model), "--top", "1"])
    assert "+75.0%" in capsys.readouterr().out


def test_an_explanation_names_knockouts_terms_papers_and_genes(demo_model, capsys):
    assert explain.main(["SOX3", "--model", str(demo_model), "--top", "4"]) == 0
    text = capsys.readouterr().out
    assert "training knock-outs with the largest weights" in text
    assert "(GO:" in text
    assert "https://pubmed.ncbi.nlm.nih.gov/" in text
    assert text.count("%") == 5


def test_a_measured_and_an_unmeasured_gene_are_told_apart(demo_model, capsys):
    explain.main(["PRDM14", "PPARG", "--model", str(demo_model)])
    measured, unmeasured = capsys.readouterr().out.strip().split("\n\n")[1:]
    assert "was measured in training" in measured
    assert "training knock-outs with the largest weights" in unmeasured


def test_a_misspelt_gene_is_refused_with_its_like(demo_model, capsys):
    assert explain.main(["pparg", "--model", str(demo_model)]) == 2
    assert "Did you mean PPARG" in capsys.readouterr().err


def test_without_a_model_it_says_to_train(tmp_path, capsys):
    assert explain.main(["PPARG", "--model", str(tmp_path)]) == 2
    assert "no model was trained yet" in capsys.readouterr().err


def test_shared_terms_are_named_the_largest_share_of_the_kernel_first(tmp_path):
    features = load_gene_features(write(tmp_path / "f.npz"))
    assert _shared("A", "A", features) == ["      GO: second (GO:2); first (GO:1)"]
    assert _shared("OLD", "B", features) == ["      GO: second (GO:2)"]
    assert _shared("A", "NEW", features) == _shared("A", "C", features) == []
