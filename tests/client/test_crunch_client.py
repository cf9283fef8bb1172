"""`crunch setup`, `crunch test` and the organisers' checks and scores, on this repository."""

import json
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest

from evaluation.scoring import metrics as scoring
from evaluation.scoring.checks import check_method_description, check_prediction
from perturbation import competition
from tests.client.conftest import (
    COMPETITION,
    DATA_FILES,
    DEMO,
    DESCRIPTION,
    PREDICTION_FILES,
    REPOSITORY,
    TRUE_CELLS,
    TRUE_PROPORTIONS,
    copy_repository,
    digests,
    read_names,
    repository_files,
    set_up,
    succeed,
)
from tests.client.hub import METRICS, PROJECT_TOKEN

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / ".git").exists(), reason="the copies hold what git lists"
)


# Setup


def test_setup_into_a_clone_keeps_its_files_and_replaces_dot_crunchdao(crunch, tmp_path):
    clone = copy_repository(tmp_path / "clone")
    (clone / "notes.txt").write_text("mine")
    (clone / ".crunchdao").mkdir()
    (clone / ".crunchdao" / "token").write_text("of another project")
    (clone / ".crunchdao" / "upload-cache.json").write_text("of another project")
    before = digests(clone)

    printed = succeed(set_up(crunch, clone, "--force"))

    assert "Your environment has been correctly setup." in printed
    after = digests(clone)
    written = {name for name in after if before.get(name) != after[name]}
    data = {f"data/{name}" for name in DATA_FILES}
    assert written == data | {".crunchdao/token", ".crunchdao/project.json"}
    assert before.keys() - after.keys() == {".crunchdao/upload-cache.json"}
    assert (clone / ".crunchdao" / "token").read_text() == PROJECT_TOKEN
    project = json.loads((clone / ".crunchdao" / "project.json").read_text())
    assert (project["competitionName"], project["projectName"]) == (COMPETITION, "demo")


def test_setup_into_a_clone_needs_force(crunch, tmp_path):
    clone = copy_repository(tmp_path / "clone")
    run = set_up(crunch, clone, "--no-data")
    assert run.returncode != 0
    assert "directory not empty (use --force to overwrite)" in run.stdout
    assert not (clone / ".crunchdao").exists()


# Test


def test_crunch_test_trains_and_leaves_exactly_the_two_prediction_files(trained):
    assert (trained.directory / "resources" / "model.npz").is_file()
    left = {path.name for path in (trained.directory / "prediction").iterdir()}
    assert left == PREDICTION_FILES
    for complaint in ("stray file", "missing file", "unknown parameter", "forbidden library"):
        assert complaint not in trained.printed


def test_crunch_test_changes_nothing_but_model_and_prediction(trained):
    found = digests(trained.directory)
    made = {name for name in found if name.startswith((".crunchdao/", "prediction/"))}
    made |= {f"data/{name}" for name in DATA_FILES} | {"resources/model.npz"}
    assert found.keys() - made == repository_files()
    for name in repository_files():
        assert (trained.directory / name).read_bytes() == (REPOSITORY / name).read_bytes(), name


def test_prediction_of_crunch_test_is_valid_to_the_client_and_to_us(crunch, trained, hidden_truth):
    assert "Prediction is valid!" in organize(crunch, "check", trained, hidden_truth)
    perturbations, genes = read_names(hidden_truth), read_names(DEMO, competition.GENES_FILE)
    assert check_prediction(trained.directory / "prediction", perturbations, genes) == []


def test_the_client_and_we_score_alike(crunch, trained, hidden_truth):
    printed = organize(crunch, "score", trained, hidden_truth)
    rows = [line.split() for line in printed.splitlines()]
    theirs = {row[0]: float(row[2]) for row in rows if row and row[0] in METRICS}
    ours = our_scores(trained.directory / "prediction", hidden_truth)
    assert theirs == pytest.approx(ours, rel=1e-6)


def our_scores(prediction, truth):
    """Score with evaluation.scoring.metrics, as local_test.py does."""
    true = anndata.read_h5ad(truth / TRUE_CELLS)
    panel = true.uns["scoring_gene_mask"]
    perturbed_centroid = true.uns["perturbed_centroid_train"][panel]
    true = true[:, panel]
    predicted = anndata.read_h5ad(prediction / competition.PREDICTION_FILE)[:, true.var_names]
    true_table, predicted_table = (
        pd.read_csv(path, index_col="gene")
        for path in (truth / TRUE_PROPORTIONS, prediction / competition.PREDICTED_PROPORTIONS_FILE)
    )
    scores = []
    for name in read_names(truth):
        cells = [table.X[table.obs["gene"] == name] for table in (true, predicted)]
        pearson, mmd = scoring.pearson_delta(*cells, perturbed_centroid), scoring.mmd(*cells)
        l1 = scoring.l1_distance(true_table.loc[name], predicted_table.loc[name])
        scores.append((pearson, mmd, l1))
    return dict(zip(METRICS, np.mean(scores, axis=0), strict=True))


def organize(crunch, command, project, truth):
    directories = ("--data-directory", truth, "--prediction-directory", "prediction")
    arguments = ("organizer", COMPETITION, "test", "scoring", command, *directories)
    return succeed(crunch(*arguments, cwd=project.directory))


# The check of a submission, made of `Method description.md` alone


def check_submission(crunch, directory):
    command = ("organizer", COMPETITION, "test", "submission", "check", "--root-directory", ".")
    return succeed(crunch(*command, cwd=directory))


def test_submission_check_passes_on_the_repository(crunch, trained):
    assert "Submission is valid!" in check_submission(crunch, trained.directory)
    assert check_method_description(trained.directory) == []


BROKEN_DESCRIPTIONS = {
    "a character outside ASCII": lambda text: text + "naïve\n",
    "a second heading": lambda text: text + "\n## Rationale\n",
    "a space after a heading": lambda text: text.replace("Rationale\n", "Rationale \n", 1),
    "a bold heading": lambda text: text.replace("Rationale\n", "**Rationale**\n", 1),
    "a heading missing": lambda text: text.replace("Rationale\n", "Reasons\n", 1),
    "too few sentences": lambda text: "".join(
        line for line in text.splitlines(keepends=True) if line.startswith("#")
    ),
    "over 4 MiB": lambda text: text + "a" * 4 * 1024**2,
}


@pytest.mark.parametrize("fault", BROKEN_DESCRIPTIONS)
def test_client_and_we_reject_a_description_with(crunch, tmp_path, fault):
    text = (REPOSITORY / DESCRIPTION).read_text()
    broken = BROKEN_DESCRIPTIONS[fault](text)
    assert broken != text
    (tmp_path / DESCRIPTION).write_text(broken)
    assert "Submission is not valid:" in check_submission(crunch, tmp_path)
    assert check_method_description(tmp_path) != []


@pytest.mark.parametrize("name", [f"resources/{DESCRIPTION}", DESCRIPTION.replace(".md", ".MD")])
def test_client_and_we_reject_a_description_named(crunch, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    shutil.copy2(REPOSITORY / DESCRIPTION, tmp_path / name)
    assert "Submission is valid!" not in check_submission(crunch, tmp_path)
    assert check_method_description(tmp_path) != []
