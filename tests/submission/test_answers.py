"""A wrong answer of a part gets one sentence, the same wherever it enters, and leaves no file."""

import dataclasses
import re
import runpy
import shutil
import tempfile
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import main
from evaluation.crossval import fast
from evaluation.crossval.contenders import Contender
from evaluation.crossval.fast import score_fold
from evaluation.crossval.folds import Settings, all_folds
from evaluation.local.stage_process import call_by_name, describe_failure
from evaluation.local.stages import Cost, train_values
from evaluation.preflight import run as preflight_run
from evaluation.reading import read_names
from evaluation.whole import submission as whole_submission
from evaluation.whole.submission import Submission, run_submission
from perturbation.competition import (
    GENES_FILE,
    PERTURBATIONS_FILE,
    PROGRAM_FLAGS,
    PROPORTIONS_FILE,
    TRAINING_FILE,
)
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.errors import InputError
from perturbation.model.gene_features import load_gene_features
from perturbation.model.parts import fitted as fitted_predictor
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
    "no frame": (lambda t: t.to_numpy(), "are ndarray, no DataFrame"),
    "a column less": (lambda t: t.drop(columns="lipo"), "the columns pre_adipo, adipo, other of f"),
    "another order": (lambda t: t[::-1], "perturbations asked, in order"),
    "text": (lambda t: t.astype(str), "; expected numbers in"),
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


WRONG = """
from evaluation.crossval.contenders import Contender

_wrong = Contender("wrong", **{parts!r})
fit.__kwdefaults__.update(_wrong.parts("cells"))
predict.__kwdefaults__.update(_wrong.parts("predictor", "proportions"))
"""
"""Behind main.py's own lines: the same parts in what is shipped."""


@pytest.fixture(scope="module")
def shared(competition):
    settings = Settings(n_folds=3, panel=("variable", 20, 1))
    return fast.gather(competition, ROOT / "resources", (), settings)


@pytest.fixture(scope="module")
def summary(competition):
    return summarise(open_dataset(competition))


@pytest.fixture(scope="module")
def fitted(summary):
    return main.fit(summary, None)


@pytest.fixture
def submission(competition, model_directory, tmp_path, monkeypatch):
    """A submission without code, its stages run in this process: they differ in speed alone."""
    for caller in (preflight_run, whole_submission):
        monkeypatch.setattr(caller, "run_stage", run_here)
    home = tmp_path / "home"
    shutil.copytree(model_directory, home / "resources")
    (home / "data").mkdir()
    for name in (TRAINING_FILE, PROPORTIONS_FILE, GENES_FILE):
        (home / "data" / name).symlink_to(competition / name)
    (home / "data" / PERTURBATIONS_FILE).write_text("\n".join(f"NEW{i}" for i in range(130)))
    return home


def run_here(submission, name, values):
    """Do what `run_stage` does, without the process."""
    code = runpy.run_path(str(submission / "main.py"))
    try:
        call_by_name(code[name], values)
    except InputError as error:
        raise InputError(describe_failure(error, name, str(submission))) from error
    return Cost(0, 0)


def told(road, words=None):
    """What a road raises, without the numbers and names that differ from road to road."""
    with pytest.raises(InputError, match=words) as caught:
        road()
    return without_numbers(str(caught.value))


def without_numbers(text):
    return re.sub(r"\b(NEW|GENE)\d+\b|[\d.,]*\d", "#", text)


@pytest.mark.parametrize(
    ("parts", "words"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_wrong_answer_gets_the_same_sentence_everywhere(
    competition, shared, summary, fitted, submission, tmp_path, parts, words
):
    contender = Contender("wrong", **parts)
    features = load_gene_features(ROOT / "resources" / "gene_features.npz")
    targets = [f"NEW{i}" for i in range(4)]
    genes = read_names(competition / GENES_FILE)
    (submission / "main.py").write_text((ROOT / "main.py").read_text() + WRONG.format(parts=parts))
    files = sorted(tmp_path.rglob("*"))

    def judge():
        spoilt = dataclasses.replace(shared, contenders={contender: features})
        names = list(shared.truth.centroids.index)
        score_fold(spoilt, all_folds(names, shared.settings)[0])

    def infer(in_memory):
        model = fitted
        if "cells" in parts:
            model = main.fit(summary, features, **contender.parts("cells"))
        answer = main.predict(
            model, features, targets, genes, **contender.parts("predictor", "proportions")
        )
        paths = tmp_path / "prediction.h5ad", tmp_path / "proportions.csv"
        write_prediction(*paths, answer[0], genes, answer[1], in_memory=in_memory)

    def black_box():
        resources = {"gene_features.npz": ROOT / "resources" / "gene_features.npz"}
        code = {"main.py": submission / "main.py"}
        with tempfile.TemporaryDirectory() as work:
            box = Submission("wrong", code, resources)
            run_submission(box, submission / "data", Path(work), genes)

    sentence = told(judge, words)
    assert told(lambda: infer(True)) == told(lambda: infer(False)) == sentence
    assert told(black_box) == f"wrong: {sentence}"
    train_places = submission / "data", submission / "resources"
    if "cells" in parts:  # made in train(): there is no model to push
        assert told(lambda: run_here(submission, "train", train_values(*train_places))) == sentence
    else:
        assert told(lambda: preflight_run.trial_findings(submission)) == sentence
    assert sorted(tmp_path.rglob("*")) == files


BLOCKS = {
    "one too many": (lambda b: [*b, b[0]], "cells of 4 perturbations or more, not the 3"),
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


def test_a_class_in_place_of_a_predictor_is_told(summary):
    with pytest.raises(InputError, match=r"Forgetful is a class; its brackets \(\) are missing"):
        fitted_predictor(Forgetful, summary.training, None)


def test_a_predictor_may_not_change_what_others_see(summary):
    class Spoiler(WrongCentroids):
        def fit(self, training, gene_features):
            training.control_centroid[:] = 0
            training.perturbation_centroids.iloc[:] = 0
            return super().fit(training, gene_features)

    before = deepcopy(summary.training)
    model = main.fit(summary, None)
    genes = summary.training.genes.tolist()
    answer = main.predict(model, None, ["NEW"], genes, predictor=lambda: Spoiler("one row"))
    next(answer[0])
    pd.testing.assert_frame_equal(
        summary.training.perturbation_centroids, before.perturbation_centroids
    )
    np.testing.assert_array_equal(summary.training.control_centroid, before.control_centroid)
