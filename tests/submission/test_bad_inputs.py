"""Every bad input gets one sentence and leaves no file; every harmless one is accepted."""

import os
import re
import shutil

import pytest

import local_test
import main
from evaluation.reading import read_names
from perturbation.errors import InputError
from tests.submission.bad_inputs import CASES
from tests.submission.harmless_inputs import HARMLESS
from tests.submission.spoilers import GENES, MODEL, Place

NAMES_WHAT_IS_WRONG = (
    r"\.(h5ad|csv|txt|npz)|_path |predict_perturbations|genes_to_predict|/data is a"
)


@pytest.fixture
def place(competition, model_directory, tmp_path):
    """Return a competition, a trained model and a prediction directory, to be spoiled."""
    return copied(competition, model_directory, tmp_path)


def copied(competition, model_directory, directory):
    place = Place(*(directory / name for name in ("data", "resources", "prediction")), {})
    shutil.copytree(competition, place.data)
    shutil.copytree(model_directory, place.resources, copy_function=os.link)
    place.prediction.mkdir()
    place.arguments.update(
        data_directory_path=str(place.data),
        prediction_directory_path=str(place.prediction),
        prediction_h5ad_file_path=str(place.prediction / "prediction.h5ad"),
        program_proportion_csv_file_path=str(place.prediction / "predict_program_proportion.csv"),
        model_directory_path=str(place.resources),
        predict_perturbations=["NEW", "GENE00004"],
        genes_to_predict=["GENE00002", "GENE00001"],
    )
    return place


def train(place):
    names = ("data_directory_path", "model_directory_path")
    main.train(**{name: place.arguments[name] for name in names})


def infer(place):
    main.infer(**place.arguments)


def score(place, capsys):
    arguments = ["--data", str(place.data), "--score-only", str(place.prediction)]
    assert local_test.main(arguments) == 2
    raise InputError(capsys.readouterr().err.removeprefix("error: ").rstrip("\n"))


def files_below(directory):
    return {path: path.is_file() and path.stat().st_mtime_ns for path in directory.rglob("*")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_gets_one_sentence_and_leaves_no_file(case, place, tmp_path, capsys):
    case.spoil(place)
    before = files_below(tmp_path)
    with pytest.raises(InputError) as refusal:
        {"train": train, "infer": infer, "score": lambda p: score(p, capsys)}[case.door](place)
    sentence = str(refusal.value)
    assert re.search(case.words, sentence), sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert len(sentence) < 500
    assert re.search(NAMES_WHAT_IS_WRONG, sentence)
    assert "unsafe" not in sentence  # numpy advises to allow pickles
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_a_harmless_input_is_accepted_and_changes_nothing(case, place, right_answers):
    case.spoil(place)
    assert answer(case.door, place) == right_answers[case.door]
    assert not list(place.resources.parent.rglob("*.unfinished"))


@pytest.fixture(scope="module")
def right_answers(competition, model_directory, tmp_path_factory):
    """What each door gives for inputs that nobody spoiled."""
    place = copied(competition, model_directory, tmp_path_factory.mktemp("right"))
    return {door: answer(door, place) for door in ("train", "infer", "names")}


def answer(door, place):
    if door == "train":
        train(place)
        return (place.resources / MODEL).read_bytes()
    if door == "infer":
        infer(place)
        return {path.name: path.read_bytes() for path in place.prediction.iterdir()}
    return read_names(place.data / GENES)
