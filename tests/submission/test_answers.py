"""A wrong answer of a part gets one sentence, the same wherever it enters, and leaves no file."""

import numpy as np
import pandas as pd
import pytest

import main
from evaluation.crossval import run as cross_validation_run
from evaluation.crossval.contenders import Contender
from evaluation.crossval.fast import Settings, all_folds, score_fold
from perturbation.competition import PROGRAM_FLAGS
from perturbation.data.dataset import open_dataset
from perturbation.data.names import read_names
from perturbation.data.summary import summarise
from perturbation.errors import InputError
from perturbation.model.gene_features import load_gene_features
from perturbation.output.prediction_file import write_prediction
from tests.conftest import ROOT


def at(place, value):
    def change(array):
        array[place] = value
        return array

    return change


CENTROIDS = {
    "one row": (lambda c: c[:1], r"gave \(1, 60\) of float64; expected an array"),
    "one dimension": (lambda c: c[0], r"gave \(60,\)"),
    "too wide": (lambda c: np.pad(c, ((0, 0), (0, 1))), r"gave \(\d+, 61\)"),
    "a DataFrame": (pd.DataFrame, "gave DataFrame; expected an array"),
    "a list": (lambda c: c.tolist(), "gave list"),
    "nothing": (lambda c: None, "gave NoneType"),
    "text": (lambda c: c.astype(str), "of <U"),
    "NaN": (at((0, 3), np.nan), "gave 1 values that are NaN or infinite"),
    "infinite": (at((0, 3), np.inf), "gave 1 values that are NaN or infinite"),
    "negative": (at((0, 3), -0.5), r"gave negative values, the lowest -0\.5"),
    "others in view": (lambda c: c + len(c), "answers .* alone otherwise than among others"),
}
CELLS = {
    "99 rows": (lambda c: c[1:], r"gave \(99, 60\)"),
    "too narrow": (lambda c: c[:, 1:], r"gave \(100, 59\)"),
    "NaN": (at((0, 3), np.nan), "gave 1 values that are NaN"),
    "negative": (at((0, 3), -0.5), r"gave negative values, the lowest -0\.5"),
    "a DataFrame": (pd.DataFrame, "gave DataFrame"),
}
PROPORTIONS = {
    "no frame": (lambda t: t.to_numpy(), "are ndarray; expected a DataFrame"),
    "a column less": (lambda t: t.drop(columns="lipo"), "have the columns pre_adipo, adipo, other"),
    "another order": (lambda t: t[::-1], "in their order"),
    "percent": (lambda t: t * 100, "must lie between 0 and 1"),
    "sum above 1": (lambda t: t + 0.1, "must have pre_adipo"),
    "lipo above adipo": (lambda t: t.assign(lipo=t["adipo"] + 0.01), "must have lipo <= adipo"),
    "NaN": (lambda t: t.assign(lipo=np.nan), "must lie between 0 and 1"),
}


class WrongCentroids:
    def __init__(self, how):
        self.how = how

    def fit(self, training, gene_features):
        self.centroid = training.control_centroid
        return self

    def predict(self, perturbations):
        return CENTROIDS[self.how][0](np.tile(self.centroid, (len(perturbations), 1)))


class WrongCells:
    def __init__(self, how):
        self.how = how

    def __call__(self, summary):
        return CELLS[self.how][0](summary.cells[:100].toarray())


class WrongProportions:
    def __init__(self, how):
        self.how = how

    def __call__(self, training, gene_features, predictor, perturbations):
        row = [0.4, 0.3, 0.3, 0.1]
        table = pd.DataFrame([row] * len(perturbations), list(perturbations), list(PROGRAM_FLAGS))
        return PROPORTIONS[self.how][0](table)


class Forgetful(WrongCentroids):
    def __init__(self):
        super().__init__("one row")

    def fit(self, training, gene_features):
        pass


def reference(kind, *how):
    return f"{__name__}:{kind.__name__}({', '.join(map(repr, how))})"


CASES = [
    *[
        (f"centroids: {h}", {"predictor": reference(WrongCentroids, h)}, CENTROIDS[h][1])
        for h in CENTROIDS
    ],
    *[(f"cells: {h}", {"cells": reference(WrongCells, h)}, CELLS[h][1]) for h in CELLS],
    *[
        (f"proportions: {h}", {"proportions": reference(WrongProportions, h)}, PROPORTIONS[h][1])
        for h in PROPORTIONS
    ],
    ("fit returns nothing", {"predictor": reference(Forgetful)}, "fit.. returned nothing; end it"),
]


@pytest.fixture(scope="module")
def material(competition):
    settings = Settings((Contender("shipped"),), n_folds=3, panel_genes=20, panel_draws=1)
    return cross_validation_run.gather(competition, ROOT / "resources", settings)


@pytest.fixture(scope="module")
def summary(competition):
    return summarise(open_dataset(competition))


@pytest.mark.parametrize(
    ("parts", "words"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_wrong_answer_gets_the_same_sentence_everywhere(
    competition, material, summary, tmp_path, parts, words
):
    contender = Contender("wrong", **parts)
    features = load_gene_features(ROOT / "resources" / "gene_features.npz")
    targets = [f"NEW{i}" for i in range(4)]
    genes = read_names(competition / "genes_to_predict.txt")

    def judge():
        material.settings.__dict__["contenders"] = (contender,)
        score_fold(material, next(all_folds(material.summary, material.settings)))

    def infer(in_memory):
        model = main.fit(summary, features, **contender.fit_parts())
        answer = main.predict(model, features, targets, genes, **contender.predict_parts())
        paths = tmp_path / "prediction.h5ad", tmp_path / "proportions.csv"
        write_prediction(*paths, answer[0], genes, answer[1], in_memory=in_memory)

    for road in (judge, lambda: infer(True), lambda: infer(False)):
        with pytest.raises(InputError, match=words):
            road()
    assert not list(tmp_path.iterdir())


BLOCKS = {
    "one too many": (lambda b: [*b, b[0]], "cells of more than the 3 asked"),
    "one too few": (lambda b: b[1:], "cells of 2 perturbations, not the 3 asked"),
    "too wide": (lambda b: [b[0], np.pad(b[1], ((0, 0), (0, 1))), b[2]], r"number 2 gave \(100, 6"),
    "a row too many": (lambda b: [b[0], np.pad(b[1], ((0, 1), (0, 0))), b[2]], r"gave \(101, 5\)"),
    "NaN": (lambda b: [b[0], b[1] * np.nan, b[2]], "number 2 gave 500 values that are NaN"),
    "negative": (lambda b: [b[0], b[1] - 1, b[2]], "number 2 gave negative values"),
}


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("how", BLOCKS)
def test_cells_that_are_not_what_was_asked_leave_no_file(tmp_path, how, in_memory):
    blocks = [np.full((100, 5), 0.5, np.float32)] * 3
    shares = pd.DataFrame([[0.4, 0.3, 0.3, 0.1]] * 3, list("ABC"), list(PROGRAM_FLAGS))
    wrong, words = BLOCKS[how]
    paths = tmp_path / "prediction.h5ad", tmp_path / "proportions.csv"
    with pytest.raises(InputError, match=words):
        write_prediction(*paths, wrong(blocks), list("VWXYZ"), shares, in_memory=in_memory)
    assert not list(tmp_path.iterdir())


def test_a_predictor_may_not_change_what_others_see(summary):
    class Spoiler(WrongCentroids):
        def fit(self, training, gene_features):
            training.control_centroid[:] = 0
            training.perturbation_centroids.iloc[:] = 0
            return super().fit(training, gene_features)

    before = summary.training.copy()
    model = main.fit(summary, None)
    genes = summary.training.genes.tolist()
    answer = main.predict(model, None, ["NEW"], genes, predictor=lambda: Spoiler("one row"))
    next(answer[0])
    pd.testing.assert_frame_equal(
        summary.training.perturbation_centroids, before.perturbation_centroids
    )
    np.testing.assert_array_equal(summary.training.control_centroid, before.control_centroid)
