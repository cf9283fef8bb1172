"""The real client, as a user runs it, against a loopback hub: setup, test, push, check, score."""

import hashlib
import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import NamedTuple

import anndata
import numpy as np
import pandas as pd
import pytest

from evaluation.scoring import metrics as scoring
from evaluation.scoring.checks import check_method_description, check_prediction
from perturbation import competition
from tests.client.hub import CLONE_TOKEN, METRICS, PROJECT_TOKEN, running_hub

COMPETITION = "broad-obesity-1"
REPOSITORY = Path(__file__).parents[2]
SCRIPTS = Path(__file__).with_name("competition_scripts")
DEMO = REPOSITORY / "data" / "demo"
DATA_FILES = [path.name for path in DEMO.iterdir() if path.suffix in {".h5ad", ".csv", ".txt"}]
PREDICTION_FILES = {competition.PREDICTION_FILE, competition.PREDICTED_PROPORTIONS_FILE}
TRUE_CELLS, TRUE_PROPORTIONS = "tf150_gtruth.h5ad", "program_proportion_gtruth.csv"
DESCRIPTION = "Method description.md"

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / ".git").exists(), reason="the copies hold what git lists"
)


class Project(NamedTuple):
    """A directory that was set up, and what the last command printed there."""

    directory: Path
    printed: str


@pytest.fixture(scope="module")
def hub():
    with running_hub([DEMO / name for name in DATA_FILES]) as hub:
        yield hub


@pytest.fixture(scope="module")
def crunch(hub, tmp_path_factory):
    """Run the client in a directory; everything it needs is on this machine."""
    platform = tmp_path_factory.mktemp("platform")
    shutil.copytree(SCRIPTS, platform / "competitions" / COMPETITION / "scoring")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "CRUNCH_API_BASE_URL": hub.url,
        "CRUNCH_COMPETITIONS_SOURCE": f"local://{platform}",
        "CRUNCH_ENVIRONMENT": "",  # set, so that no .env file can name another server
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nobody listens: a call to the outside fails
        "OMP_NUM_THREADS": "1",
    }

    def run(*arguments, cwd, **more_environment):
        return subprocess.run(
            [Path(sysconfig.get_path("scripts"), "crunch"), *arguments],
            cwd=cwd,
            env=environment | more_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="module")
def trained(crunch, tmp_path_factory):
    """Yield a clone after `crunch setup` and `crunch test`."""
    clone = copy_repository(tmp_path_factory.mktemp("trained") / "clone")
    succeed(set_up(crunch, clone, "--force"))
    return Project(clone, succeed(crunch("test", cwd=clone)))


@pytest.fixture(scope="module")
def pushed(crunch, hub, trained, tmp_path_factory):
    """Yield what arrives at the hub from a trained clone full of things that must not go."""
    clone = tmp_path_factory.mktemp("pushed") / "clone"
    shutil.copytree(trained.directory, clone)
    litter(clone)
    succeed(crunch("push", "-m", "first try", cwd=clone))
    return hub.submissions[-1]


@pytest.fixture(scope="module")
def hidden_truth(tmp_path_factory):
    """Return a data directory in the layout of the platform's scoring, made of the local truth."""
    directory = tmp_path_factory.mktemp("truth")
    truth = anndata.read_h5ad(DEMO / competition.LOCAL_TRUTH_FILE)
    truth.uns["scoring_gene_mask"] = truth.var_names.isin(read_names(DEMO, competition.GENES_FILE))
    truth.write_h5ad(directory / TRUE_CELLS)
    proportions = pd.read_csv(DEMO / competition.LOCAL_PROPORTIONS_FILE)
    proportions.to_csv(directory / TRUE_PROPORTIONS, index=False)
    (directory / competition.PERTURBATIONS_FILE).write_text("\n".join(proportions["gene"]))
    return directory


def repository_files():
    """List what a clone holds, with the changes that are not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, text=True)
    return {name for name in listing.stdout.split("\0") if (REPOSITORY / name).is_file()}


def copy_repository(clone):
    for name in repository_files():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, clone / name)
    return clone


def litter(clone):
    names = [
        ".env",
        ".git/config",
        ".venv/lib/python3.11/site-packages/numpy/__init__.py",
        ".ruff_cache/content",
        ".pytest_cache/content",
        ".hypothesis/content",
        "perturbation/__pycache__/left.cpython-311.pyc",
        "data/notes.txt",
        "prediction/left.h5ad",
        "report/index.html",
    ]
    for name in names:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("must stay here")


def set_up(crunch, clone, *options):
    options = ("--token", CLONE_TOKEN, "--submission", "scratch", *options)
    return crunch("setup", *options, COMPETITION, "demo", ".", cwd=clone)


def succeed(run):
    assert run.returncode == 0, run.stdout
    return run.stdout


def digests(directory):
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


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


def read_names(directory, name=competition.PERTURBATIONS_FILE):
    return (directory / name).read_text().split()


# Push


def test_push_sends_the_repository_and_nothing_else(pushed):
    expected = {name for name in repository_files() if not name.startswith(("data/", "resources/"))}
    assert set(pushed.code) == expected
    assert {"main.py", DESCRIPTION, "requirements.txt", "perturbation/__init__.py"} <= expected


def test_push_sends_files_as_they_are(pushed, trained):
    for name, content in pushed.code.items():
        assert content == (trained.directory / name).read_bytes(), name
    assert (pushed.message, pushed.main_file) == ("first try", "main.py")


def test_push_sends_all_of_resources_as_the_model(pushed, trained):
    resources = trained.directory / "resources"
    assert "model.npz" in pushed.model
    assert pushed.model == {path.name: path.read_bytes() for path in resources.iterdir()}


def test_pushed_code_is_under_3_megabytes(pushed):
    assert sum(len(content) for content in pushed.code.values()) < 3_000_000


def test_dry_push_names_the_files_and_sends_nothing(crunch, hub, trained):
    before = len(hub.uploads), len(hub.submissions)
    printed = succeed(crunch("push", "--dry", "-m", "a rehearsal", cwd=trained.directory))
    assert "found code file: main.py" in printed
    assert "found model file: model.npz" in printed
    assert (len(hub.uploads), len(hub.submissions)) == before


def test_a_clone_that_was_never_trained_has_no_model_to_push(crunch, tmp_path):
    clone = copy_repository(tmp_path / "clone")
    succeed(set_up(crunch, clone, "--force", "--no-data"))
    printed = succeed(crunch("push", "--dry", "-m", "too early", cwd=clone))
    assert "found code file: main.py" in printed
    assert "model.npz" not in printed


def test_what_was_pushed_infers_in_the_cloud_without_training_data(crunch, pushed, tmp_path):
    code, prediction = lay_out(pushed, tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    for name in (competition.PERTURBATIONS_FILE, competition.GENES_FILE):
        shutil.copy2(DEMO / name, data / name)
    before = digests(code) | digests(data)

    infer_in_the_cloud(crunch, code, data, prediction)

    assert digests(code) | digests(data) == before
    perturbations, genes = read_names(data), read_names(data, competition.GENES_FILE)
    cells = anndata.read_h5ad(prediction / competition.PREDICTION_FILE)
    assert list(cells.var_names) == genes
    assert check_prediction(prediction, perturbations, genes) == []


def lay_out(submission, directory):
    code, prediction = directory / "code", directory / "prediction"
    model = {f"resources/{name}": content for name, content in submission.model.items()}
    for name, content in (submission.code | model).items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_bytes(content)
    prediction.mkdir()
    return code, prediction


def infer_in_the_cloud(crunch, code, data, prediction):
    """Call the client's own executor, which runs one command in a process of its own."""
    h5ad = prediction / competition.PREDICTION_FILE
    csv = prediction / competition.PREDICTED_PROPORTIONS_FILE
    paths = {"prediction_h5ad_file_path": h5ad, "program_proportion_csv_file_path": csv}
    options = {
        "competition": COMPETITION,
        "data-directory": data,
        "code-directory": code,
        "main-file": "main.py",
        "model-directory": code / "resources",
        "prediction-directory": prediction,
        "runner-py-file": SCRIPTS / "runner.py",
        "command": "infer",
        "parameters": json.dumps(paths, default=str),
        "train": "false",
        "gpu": "false",
        "fuse-pid": "0",
        "fuse-signal-number": "0",
        "trace": code.parent / "trace.txt",
        "exit-file": code.parent / "exit.txt",
        "exit-content": "done",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    inside = {"CRUNCH_INSIDE_RUNNER": "true", "CRUNCH_AUTO_MONKEY_PATCH": "true"}
    succeed(crunch("runner", "cloud-executor", *arguments, cwd=code, **inside))
    assert (code.parent / "exit.txt").read_text() == "done"


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
