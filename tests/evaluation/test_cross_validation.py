"""Whole perturbations are held out, and nothing that is fitted knows them."""

import dataclasses
import gc
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import local_test
from evaluation.crossval import fast
from evaluation.crossval import workers as parallel
from evaluation.crossval.baselines import BASELINES
from evaluation.crossval.contenders import SHIPPED, Contender, given_contenders
from evaluation.crossval.fast import cross_validate, predict_fold
from evaluation.crossval.folds import Settings, all_folds
from evaluation.held_out import summary_without
from evaluation.scoring.panels import draw_panels
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.errors import InputError
from tests.conftest import ROOT

SETTINGS = Settings(n_folds=3, n_repeats=2, panel=("variable", 20, 2))


@pytest.fixture(scope="module")
def shared(competition):
    return fast.gather(competition, ROOT / "resources", (SHIPPED,), SETTINGS)


@pytest.fixture(scope="module")
def scores(shared):
    return cross_validate(shared).scores


def centroids_of(shared):
    return shared.summary.training.perturbation_centroids


def given(*predictors, own_transcript=True):
    return given_contenders({"predictor": predictors}, own_transcript=own_transcript)


def with_contenders(shared, *contenders):
    settings = dataclasses.replace(SETTINGS, n_repeats=1)
    features = dict.fromkeys(contenders, shared.contenders[SHIPPED])
    return dataclasses.replace(shared, settings=settings, contenders=features)


def test_every_repeat_holds_each_perturbation_out_once():
    names = [f"G{i}" for i in range(11)]
    folds = [fold.held_out for fold in all_folds(names, Settings(4, 2))]
    for dealt in (folds[:4], folds[4:]):
        assert sorted(name for fold in dealt for name in fold) == sorted(names)
        assert {len(fold) for fold in dealt} == {2, 3}
    assert folds[:4] != folds[4:]


@pytest.mark.parametrize("n_folds", [1, 12])
def test_impossible_folds_are_told(n_folds):
    with pytest.raises(InputError, match="at least 2 folds"):
        all_folds([f"G{i}" for i in range(11)], Settings(n_folds))


def test_truth_is_the_first_cells_in_file_order(competition, shared):
    dataset = open_dataset(competition)
    x = np.vstack([block.toarray() for _, _, block in dataset.blocks(64)])
    name = centroids_of(shared).index[3]
    truth = shared.truth
    expected = x[dataset.labels == name][:, truth.columns]
    np.testing.assert_array_equal(truth.cells_of(name), expected[:100].astype(np.float32))
    np.testing.assert_allclose(truth.centroids.loc[name], expected.mean(axis=0), rtol=1e-12)


def test_a_fold_chooses_from_the_cells_that_train_keeps(competition, shared):
    theirs = summarise(open_dataset(competition))
    np.testing.assert_array_equal(shared.summary.cells.toarray(), theirs.cells.toarray())


def test_the_training_part_never_saw_the_held_out(shared):
    held_out = list(centroids_of(shared).index[:4])
    training = summary_without(shared.summary, held_out)
    places = (
        training.training.perturbation_centroids.index,
        training.training.n_cells.index,
        training.training.proportions.index,
        training.cell_labels,
    )
    for place in places:
        assert not set(place) & set(held_out)
    kept = centroids_of(shared).drop(index=held_out)
    weights = shared.summary.training.n_cells.drop(index=held_out)
    expected = np.average(kept, axis=0, weights=weights)
    np.testing.assert_allclose(training.training.perturbed_centroid, expected)


class Peeker:
    """Looks through everything it is given for rows of the held-out perturbations."""

    secrets: np.ndarray  # the rows looked for, put here by the test alone

    def fit(self, training, gene_features):
        self.given = (training, gene_features)
        self.control_centroid = training.control_centroid
        return self

    def predict(self, perturbations):
        for array in arrays_within(self.given):
            assert not holds_a_row(array, self.secrets)
        training = self.given[0]
        for table in (training.perturbation_centroids, training.n_cells, training.proportions):
            assert not set(perturbations) & set(table.index)
        return np.tile(self.control_centroid, (len(perturbations), 1))


def arrays_within(start):
    """Every array reachable from `start`, and what each is a view of."""
    todo, seen = [start], set()
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type | str) or callable(thing):
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            yield thing
            todo.append(thing.base)
        elif type(thing).__module__.split(".")[0] in (
            "pandas",
            "scipy",
            "perturbation",
            "builtins",
        ):
            todo += gc.get_referents(thing)


def holds_a_row(array, rows):
    if array.ndim != 2 or array.dtype.kind != "f":
        return False
    lines = array if array.shape[1] == rows.shape[1] else array.T
    if lines.shape[1] != rows.shape[1]:
        return False
    return any(np.isclose(lines, row, rtol=1e-6).all(axis=1).any() for row in rows)


def test_a_predictor_cannot_peek(shared):
    summary = shared.summary
    fold = all_folds(list(centroids_of(shared).index), SETTINGS)[0]
    Peeker.secrets = centroids_of(shared).loc[fold.held_out].to_numpy()
    whole = summary.training
    assert any(holds_a_row(array, Peeker.secrets) for array in arrays_within(whole))
    peeking = with_contenders(shared, Contender("peeker", f"{__name__}:Peeker"))
    predict_fold(peeking, summary_without(summary, fold.held_out), fold)


class Spoiler(Peeker):
    def fit(self, training, gene_features):
        training.perturbation_centroids.iloc[:] = 0
        training.n_cells.iloc[:] = 1
        training.control_centroid[:] = 0
        self.control_centroid = training.control_centroid
        return self

    def predict(self, perturbations):
        return np.tile(self.control_centroid, (len(perturbations), 1))


def test_a_predictor_that_spoils_its_input_harms_no_other(shared, scores):
    spoiler = Contender("spoiler", f"{__name__}:Spoiler")
    again = cross_validate(with_contenders(shared, spoiler, SHIPPED)).scores
    mine = again[again["contender"] == "shipped"].reset_index(drop=True)
    theirs = scores[(scores["contender"] == "shipped") & (scores["repeat"] == 0)]
    np.testing.assert_array_equal(mine["pearson_delta"], theirs["pearson_delta"])


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nowhere:Thing", "No module named 'nowhere'"),
        ("evaluation.scoring.metrics:METRICS", r"has no fit\(\)"),
        ("./mine.py:Mine", r"No module named 'mine.*as Python imports it: no file\.py"),
        ("perturbation.model.predictors:Blend(alpha=3)", "TypeError: .*alpha"),
        ("perturbation.model.predictors:Blend(open('x'))", "is not understood"),
        ("evaluation.crossval.contenders:Nothing", "has no attribute 'Nothing'"),
        ("evaluation.crossval.contenders", "is not understood. Give module:name"),
        ("pathlib:Path", r"has no fit\(\)"),
        (
            "evaluation.crossval.folds:all_folds",
            r"all_folds failed: TypeError: .* missing",
        ),
    ],
)
def test_a_predictor_that_is_not_one_is_told(reference, words):
    with pytest.raises(InputError, match=words):
        given(reference)


def test_scores_are_complete_and_of_the_right_size(shared, scores):
    n = len(centroids_of(shared))
    assert len(scores) == n * 2 * (1 + len(BASELINES)) * 2
    assert not scores.isna().to_numpy().any()
    assert scores["pearson_delta"].between(-1, 1).all()


def test_the_perturbed_centroid_has_no_correlation(scores):
    mine = scores[scores["contender"] == "perturbed centroid"]
    assert (mine["pearson_delta"] == 0).all()


def test_processes_give_the_same_scores(shared, scores):
    pd.testing.assert_frame_equal(cross_validate(shared, 2).scores, scores)


CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(host="127.0.0.1", **options) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def dask_address(tmp_path):
    """Start a cluster outside of the clone: none of its processes can import the project."""
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(CLUSTER)
    command = [sys.executable, "cluster.py"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as cluster:
        yield cluster.stdout.readline().strip()
        cluster.stdin.close()
        cluster.wait(timeout=30)


def test_a_dask_cluster_gives_the_same_scores(shared, scores, dask_address):
    again = cross_validate(shared, dask_address).scores
    pd.testing.assert_frame_equal(again, scores)


def test_a_missing_dask_scheduler_is_told(shared, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "SECONDS_TO_CONNECT", 1)
    with pytest.raises(InputError, match="No Dask scheduler answers"):
        cross_validate(shared, "tcp://127.0.0.1:9")


def test_variable_panels_come_from_the_training_cells_and_the_scored_genes(shared):
    held_out = list(centroids_of(shared).index[:4])
    cells = summary_without(shared.summary, held_out).cells
    scored = np.arange(5, 60)
    panels = draw_panels(cells, scored, ("variable", 10, 3), np.random.default_rng(0))
    variance = cells.toarray()[:, scored].astype(np.float64).var(axis=0)
    pool = set(scored[np.argsort(-variance)[:20]])
    assert [len(panel) for panel in panels] == [10, 10, 10]
    assert all(set(panel) <= pool for panel in panels)
    assert not np.array_equal(panels[0], panels[1])
    random = draw_panels(cells, scored, ("random", 10, 1), np.random.default_rng(0))
    assert not set(random[0]) <= pool


def test_few_genes_make_one_panel_of_all(shared):
    (panel,) = draw_panels(shared.summary.cells, np.arange(7), ("variable", 10, 3), None)
    np.testing.assert_array_equal(panel, np.arange(7))


def test_the_command_writes_every_number(competition, tmp_path, capsys):
    file = tmp_path / "cv.json"
    arguments = ["--data", str(competition), "--cv", "3", "--repeats", "1", "--json", str(file)]
    arguments += ["--predictor", "perturbation.model.predictors:Blend(['mean'])"]
    assert local_test.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "Blend(['mean'])" in printed
    assert "Sources of knowledge, shipped: GO " in printed
    assert "Pearson delta of perturbed centroid is 0 in 100 percent of cases" in printed
    result = json.loads(file.read_text())
    assert set(result) == {"settings", "notes", "comparisons", "perturbations", "rows"}
    assert [*result["settings"]] == ["n_folds", "n_repeats", "panel", "panel_genes", "panel_draws"]
    assert len(result["comparisons"]) == 3 * (2 + len(BASELINES))
    assert len(result["perturbations"]["mmd"]) == 12


def test_options_that_do_not_go_together_are_refused(capsys):
    for arguments in (
        ["--report", "x"],
        ["--cv", "3", "--score-only"],
        ["--cv", "0"],
        ["--cv", "3", "--out", "x"],
        ["--repeats", "2"],
        ["--preflight", "--cv", "3"],
        ["--jobs", "2"],
    ):
        with pytest.raises(SystemExit):
            local_test.main(arguments)
