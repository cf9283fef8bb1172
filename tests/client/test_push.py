"""What `crunch push` sends and refuses, and that what it sent runs as in the cloud."""

import json
import shutil
import subprocess
import sys

import anndata
import pytest

from evaluation.preflight import run as preflight_run
from evaluation.preflight.findings import FAULT, FINE, REFUSED, WARNING
from evaluation.preflight.run import preflight
from evaluation.scoring.checks import check_prediction
from perturbation import competition
from tests.client.conftest import (
    COMPETITION,
    DEMO,
    DESCRIPTION,
    PREDICTION_FILES,
    REPOSITORY,
    SCRIPTS,
    copy_repository,
    digests,
    read_names,
    repository_files,
    set_up,
    succeed,
)
from tests.client.pushed import PUSH_ALL, PUSHED

VERDICTS = (REFUSED, FAULT, WARNING, FINE)

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / ".git").exists(), reason="the copies hold what git lists"
)


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


@pytest.fixture(scope="module")
def inferred(crunch, pushed, tmp_path_factory):
    """Return a directory where what was pushed inferred as in the cloud, and what stood there."""
    directory = tmp_path_factory.mktemp("cloud")
    code, prediction = lay_out(pushed, directory)
    (directory / "data").mkdir()
    for name in (competition.PERTURBATIONS_FILE, competition.GENES_FILE):
        shutil.copy2(DEMO / name, directory / "data" / name)
    before = digests(directory)
    infer_in_the_cloud(crunch, code, directory / "data", prediction)
    return directory, before


def test_what_was_pushed_infers_in_the_cloud_without_training_data(inferred):
    directory, before = inferred
    after = digests(directory)
    made = {f"prediction/{name}" for name in PREDICTION_FILES} | {"exit.txt", "trace.txt"}
    assert after.keys() - before.keys() <= made
    assert before.items() <= after.items()
    data = directory / "data"
    perturbations, genes = read_names(data), read_names(data, competition.GENES_FILE)
    cells = anndata.read_h5ad(directory / "prediction" / competition.PREDICTION_FILE)
    assert list(cells.var_names) == genes
    assert check_prediction(directory / "prediction", perturbations, genes) == []


def test_nothing_pushed_but_main_py_and_perturbation_can_change_a_run(
    crunch, pushed, inferred, tmp_path
):
    code, prediction = lay_out(pushed, tmp_path)
    needed = ("main.py", "perturbation/", "resources/")
    for path in [path for path in code.rglob("*") if path.is_file()]:
        if not path.relative_to(code).as_posix().startswith(needed):
            path.unlink()
    infer_in_the_cloud(crunch, code, inferred[0] / "data", prediction)
    assert digests(prediction).keys() == PREDICTION_FILES
    assert digests(prediction) == digests(inferred[0] / "prediction")


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


def test_push_and_preflight_refuse_the_same_files(environment, trained, tmp_path):
    clones = {name: tmp_path / f"clone{number}" for number, name in enumerate(PUSHED)}
    for name, clone in clones.items():
        (clone / "resources").mkdir(parents=True)
        for kept in ("requirements.txt", DESCRIPTION, ".gitignore"):
            shutil.copy(REPOSITORY / kept, clone)
        shutil.copytree(trained.directory / ".crunchdao", clone / ".crunchdao")
        (clone / "main.py").write_text("import numpy\n")
        PUSHED[name][0](clone)
    command = [sys.executable, "-c", PUSH_ALL, *clones.values()]
    pushes = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    taken = dict(zip(PUSHED, json.loads(pushes.stdout.splitlines()[-1]), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        for slow in ("model_findings", "trial_findings"):
            patch.setattr(preflight_run, slow, lambda _: [])
        levels = {name: {f.level for f in preflight(clone)} for name, clone in clones.items()}
    worst = {name: next(v for v in VERDICTS if v in found) for name, found in levels.items()}
    for name in PUSHED:
        print(f"{name:45} push {'takes' if taken[name] else 'refuses':8} {worst[name]}")
    assert taken == {name: verdict != REFUSED for name, (_, verdict) in PUSHED.items()}
    assert worst == {name: verdict for name, (_, verdict) in PUSHED.items()}
