"""Submissions as black boxes: what a fold on disk holds, what runs on it, what comes out."""

import json
import subprocess
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import local_test
from evaluation.crossval.baselines import BASELINES
from evaluation.crossval.contenders import SHIPPED
from evaluation.crossval.fast import cross_validate, gather
from evaluation.crossval.folds import Settings
from evaluation.held_out import summary_without
from evaluation.report.crossval import write_report
from evaluation.whole.fold_directory import (
    copy_cells,
    matrix_bytes,
    thinned,
    write_fold,
    write_thinned,
)
from evaluation.whole.run import run
from evaluation.whole.submission import Submission, find_submission, run_submission
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.errors import InputError
from perturbation.files import unfinished_name
from simulation.competition import simulate
from tests.conftest import DEMO, ROOT

TRAINING, TRUTH = "obesity_challenge_1.h5ad", "obesity_challenge_1_local_gtruth.h5ad"
METRICS = ["pearson_delta", "mmd", "l1"]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """With counts, guides and all that the competition's obs has. Do not write into it."""
    path = tmp_path_factory.mktemp("source")
    options = {"n_perturbations": 8, "n_targets": 3, "n_held_out": 2, "counts_layer": True}
    simulate(path, n_cells=400, n_genes=50, **options)
    return path


@pytest.fixture(scope="module")
def fold(source, tmp_path_factory):
    """A fold's directory, and who is held out."""
    summary = summarise(open_dataset(source))
    held_out = list(summary.training.perturbation_centroids.index[:3])
    out = tmp_path_factory.mktemp("fold") / "data"
    write_fold(source, out, held_out, summary_without(summary, held_out).training)
    return out, held_out


def assert_same_cells(found: ad.AnnData, expected: ad.AnnData) -> None:
    pd.testing.assert_frame_equal(found.obs, expected.obs)
    pd.testing.assert_frame_equal(found.var, expected.var)
    assert set(found.layers) == set(expected.layers)
    for ours, theirs in zip(matrices(found), matrices(expected), strict=True):
        assert type(ours) is type(theirs)
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(dense(ours), dense(theirs))


def matrices(cells: ad.AnnData) -> list:
    return [cells.X, *(cells.layers[name] for name in sorted(filter(None, cells.layers)))]


def dense(matrix) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)


@pytest.mark.parametrize("layout", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
def test_kept_cells_are_copied_unchanged_whatever_the_layout(tmp_path, layout):
    cells = ad.read_h5ad(DEMO / TRAINING)[:1200, :40].copy()
    cells.X = layout(cells.X.toarray())
    cells.layers["counts"] = layout(cells.layers["counts"].toarray())
    cells.uns["note"] = {"text": "kept"}
    cells.write_h5ad(tmp_path / "all.h5ad")
    kept = np.random.default_rng(1).random(len(cells)) < 0.5
    copy_cells(tmp_path / "all.h5ad", tmp_path / "some.h5ad", kept)
    expected = cells[kept].copy()  # anndata drops the categories that are left without cells
    found = ad.read_h5ad(tmp_path / "some.h5ad")
    assert_same_cells(found, expected)
    assert found.uns["note"]["text"] == "kept"
    assert matrix_bytes(tmp_path / "all.h5ad") >= cells.X.size


def test_of_the_held_out_a_fold_holds_the_names_asked_and_nothing_else(fold):
    out, held_out = fold
    asked = (out / "predict_perturbations.txt").read_text().split()
    assert asked == held_out
    for path in set(out.iterdir()) - {out / "predict_perturbations.txt", out / TRAINING}:
        # a measured gene may bear the name: in var and in lists of genes, not as a knock-out
        if path.suffix == ".csv" and "signature" not in path.name:
            assert not set(pd.read_csv(path)["gene"]) & set(held_out)
    cells = ad.read_h5ad(out / TRAINING)
    for column in cells.obs.select_dtypes("category"):
        words = " ".join(map(str, cells.obs[column].cat.categories))
        assert not [name for name in held_out if name in words]


def test_a_fold_has_every_file_layer_and_column_of_the_source(source, fold):
    out, held_out = fold
    assert {path.name for path in out.iterdir()} == {path.name for path in source.iterdir()}
    cells, copy = ad.read_h5ad(source / TRAINING), ad.read_h5ad(out / TRAINING)
    assert_same_cells(copy, cells[~cells.obs["gene"].isin(held_out)].copy())
    assert {"counts"} == set(filter(None, copy.layers))
    assert {"SampleID", "feature_call", "percent.mt"} < set(copy.obs)


def test_the_local_truth_tells_the_centroids_of_the_fold(source, fold):
    cells = ad.read_h5ad(fold[0] / TRAINING)
    truth, original = (ad.read_h5ad(path / TRUTH) for path in (fold[0], source))
    is_control = (cells.obs["gene"] == "NC").to_numpy()
    for name, rows in (("control", is_control), ("perturbed", ~is_control)):
        mean = np.asarray(cells.X[rows].mean(axis=0)).ravel()
        np.testing.assert_allclose(truth.uns[f"{name}_centroid_train"], mean)
    before = original.uns["perturbed_centroid_train"]
    assert not np.allclose(truth.uns["perturbed_centroid_train"], before)
    np.testing.assert_array_equal(truth.X, original.X)


def test_thinning_keeps_all_controls_and_so_many_of_a_knockout_over_all_its_rows(tmp_path):
    labels = open_dataset(DEMO).labels
    kept = thinned(labels, 100)
    n_cells, n_kept = pd.Series(labels).value_counts(), pd.Series(labels[kept]).value_counts()
    assert n_kept["NC"] == n_cells["NC"]
    assert n_kept.drop("NC").to_dict() == n_cells.drop("NC").clip(upper=100).to_dict()
    name = n_cells.drop("NC").idxmax()
    places = np.flatnonzero(kept[labels == name])
    assert np.diff(places).max() <= -(-n_cells[name] // 100) + 1
    write_thinned(DEMO, tmp_path / "thin", kept)
    assert len(open_dataset(tmp_path / "thin").labels) == kept.sum()


def black_box(code: str, tmp_path: Path) -> Submission:
    (tmp_path / "main.py").write_text(code)
    return Submission("mine", {"main.py": tmp_path / "main.py"}, {})


SPY = """
import json, os, pathlib
def train(data_directory_path, model_directory_path):
    pathlib.Path(model_directory_path, "weights.txt").write_text("learnt")
    pathlib.Path("beside.txt").write_text("lost")
def infer(data_directory_path, model_directory_path, predict_perturbations):
    seen = {
        "beside": os.path.exists("beside.txt"),
        "resources": sorted(os.listdir(model_directory_path)),
        "data": sorted(os.listdir(data_directory_path)),
        "own data": os.path.exists("data"),
        "asked": predict_perturbations,
    }
    raise ValueError(json.dumps(seen))
"""


def test_only_resources_reach_infer_and_a_data_directory_beside_main_is_not_there(fold, tmp_path):
    (tmp_path / "code").mkdir()
    with pytest.raises(InputError, match=r"mine: infer\(\) failed: ValueError") as caught:
        run_submission(black_box(SPY, tmp_path / "code"), fold[0], tmp_path / "work", [])
    seen, _ = json.JSONDecoder().raw_decode(str(caught.value).partition("ValueError: ")[2])
    assert seen["resources"] == ["weights.txt"]
    assert not seen["beside"]
    assert not seen["own data"]
    assert seen["data"] == sorted(path.name for path in fold[0].iterdir())
    assert seen["asked"] == fold[1]


def test_resources_start_from_what_git_tracks_without_a_model(tmp_path):
    home = tmp_path / "home"
    (home / "resources").mkdir(parents=True)
    for name in ("main.py", "resources/tracked.npz", "resources/model.npz", "resources/weights.pt"):
        (home / name).write_text("x")
    with pytest.raises(InputError, match="no git repository"):
        find_submission("mine", home)
    git = ["git", "-C", str(home), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    files = ["main.py", "resources/tracked.npz", "resources/model.npz"]
    subprocess.run([*git, "add", "-f", *files], check=True)
    found = find_submission("mine", home)
    assert set(found.resources) == {"tracked.npz"}
    assert set(found.code) == {"main.py"}
    assert found.words == "1 files that push sends; of resources/: tracked.npz"


@pytest.fixture
def place(monkeypatch, tmp_path) -> Path:
    """TMPDIR, empty before; and after, or the test fails."""
    path = tmp_path / "tmp"
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    yield path
    assert not list(path.iterdir())


SPOILT = """

_write = write_prediction


def write_prediction(h5ad, csv, cells, genes, proportions):
    equal = (block.mean(axis=0, keepdims=True).repeat(len(block), axis=0) for block in cells)
    _write(h5ad, csv, equal, genes, proportions)
"""


def test_black_box_and_fast_way_agree_and_a_spoilt_infer_is_really_worse(
    place, monkeypatch, tmp_path, capsys
):
    code = {"main.py": ROOT / "main.py"}
    code |= {str(p.relative_to(ROOT)): p for p in (ROOT / "perturbation").rglob("*.py")}
    features = {"gene_features.npz": ROOT / "resources" / "gene_features.npz"}
    spoilt = tmp_path / "main.py"
    spoilt.write_text((ROOT / "main.py").read_text() + SPOILT)

    def find(name, home):
        main = spoilt if home == ROOT else home / "main.py"
        return Submission(name, code | {"main.py": main}, features)

    monkeypatch.setattr(local_test, "find_submission", find)
    last_push = tmp_path / "last_push"
    last_push.mkdir()
    (last_push / "main.py").write_text((ROOT / "main.py").read_text())
    seen = []
    monkeypatch.setattr(
        local_test, "write_report", lambda *asked: seen.append(asked[0]) or write_report(*asked)
    )
    out = tmp_path / "cv.json"
    options = ["--cv", "2", "--against", str(last_push), "--panel-genes", "60", "--json", str(out)]
    options += ["--report", str(tmp_path / "report")]
    assert local_test.main(["--data", str(DEMO), *options]) == 0
    text = capsys.readouterr().out
    assert text.index("Needs up to") < text.index("Pearson delta")
    assert f"MMD: submission is really worse than {last_push}" in text
    rows = pd.DataFrame(json.loads(out.read_text())["rows"])
    everyone = {"true", *rows["contender"]}
    assert len(everyone) == 3 + len(BASELINES)
    assert {*rows["perturbation"]} == {*seen[0].examples}
    for example in seen[0].examples.values():
        assert {*example.effects} == {*example.cells["of"]} == everyone
    assert "black boxes say nothing" in (tmp_path / "report" / "index.html").read_text()
    shared = gather(DEMO, ROOT / "resources", (SHIPPED,), Settings(2, panel=("variable", 60, 3)))
    fast = cross_validate(shared).scores
    for ours, theirs in ((str(last_push), SHIPPED.name), *zip(BASELINES, BASELINES, strict=True)):
        whole, parts = rows[rows["contender"] == ours], fast[fast["contender"] == theirs]
        assert whole["perturbation"].tolist() == parts["perturbation"].tolist()
        np.testing.assert_allclose(whole[METRICS], parts[METRICS], atol=1e-6)


def test_what_the_platform_would_reject_is_told_and_nothing_is_left(place, tmp_path):
    idle = black_box("def train(): pass\ndef infer(): pass\n", tmp_path)
    with pytest.raises(InputError, match="mine: the platform would reject this"):
        run(DEMO, [idle], Settings(2), 100)


def test_the_folds_of_a_run_that_was_killed_are_gone_at_the_next_start(place, tmp_path):
    left = unfinished_name(place / "whole", pid=2**30)
    (left / "fold").mkdir(parents=True)
    (left / "fold" / "cells.h5ad").touch()
    assert local_test.main(["--data", str(tmp_path / "nowhere")]) == 2
    assert not left.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--whole", "--whole needs --cv"),
        ("--cv 2 --whole --predictor a:B", "--predictor does not go with --whole"),
        ("--cv 2 --cells-per-perturbation 100", "needs --whole"),
        ("--cv 2 --whole --cells-per-perturbation 99", "a number from 100"),
    ],
)
def test_options_of_the_black_box_that_do_not_go_together_are_refused(capsys, options, words):
    with pytest.raises(SystemExit):
        local_test.parse(options.split())
    assert words in capsys.readouterr().err
