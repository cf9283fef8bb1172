"""Nothing is run or read that should not be, and names never become paths."""

import ast
import subprocess
import sys

import pandas as pd
import pytest

import main
from perturbation.competition import TRAINING_FILE
from perturbation.output.model_file import load_model
from tests.conftest import ROOT
from tests.submission.spoilers import PROPORTIONS, Place, put, table

SOURCES = [
    *(ROOT / name for name in ("main.py", "local_test.py")),
    *(
        path
        for name in ("perturbation", "evaluation", "tools")
        for path in (ROOT / name).rglob("*.py")
    ),
    *(ROOT / "benchmarks").rglob("*.py"),
]
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_CALLS = {"os.system", "os.popen", "os.execv", "joblib.load", "pd.read_pickle"}
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
NAMES_LIKE_PATHS = ["../up", "/tmp/absolute", "a/b/c", "..", "C:\\back", "~", "$HOME", "x;rm -rf y"]

WATCH = """
import sys

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        if set(str(arguments[1])) & set("wax+") or arguments[2] & 3:
            print("write", arguments[0])
    elif event.startswith(("socket.connect", "subprocess", "os.system", "os.exec", "pickle")):
        print(event, arguments)

import main
sys.addaudithook(note)
data, resources, h5ad, csv = sys.argv[1:]
main.train(data, resources)
main.infer(None, None, h5ad, csv, resources, ["NEW"], ["GENE00001"])
"""


def calls_of(path):
    """Yield every call in a source file: its text and its keywords."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_evaluates_text_starts_a_shell_or_unpickles(path):
    for function, keywords in calls_of(path):
        assert function not in FORBIDDEN_NAMES | FORBIDDEN_CALLS
        assert keywords.get("shell", "False") == "False"
        if function in ("np.load", "numpy.load"):
            assert keywords.get("allow_pickle") == "False"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {getattr(node, "module", None), *(alias.name for alias in node.names)}
            assert not names & FORBIDDEN_IMPORTS


def test_names_with_path_parts_never_reach_the_file_system(competition_copy, infer, tmp_path):
    place = Place(competition_copy, tmp_path, tmp_path / "prediction", {})
    old = list(main.open_dataset(competition_copy).proportions.index.drop("NC"))
    new = dict(zip(old, NAMES_LIKE_PATHS, strict=False))
    put("obs", lambda o: o.assign(gene=pd.Categorical(o["gene"].astype(str).replace(new))))(place)
    put("var", lambda v: pd.DataFrame(index=[*NAMES_LIKE_PATHS, *v.index[8:]]))(place)
    table(lambda t: t.assign(gene=t["gene"].replace(new)), PROPORTIONS)(place)
    resources = tmp_path / "resources"
    resources.mkdir()
    (resources / "gene_features.npz").symlink_to(ROOT / "resources" / "gene_features.npz")
    before = set(tmp_path.parent.rglob("*"))

    main.train(str(competition_copy), str(resources))
    assert set(NAMES_LIKE_PATHS) <= set(load_model(resources).training.perturbation_centroids.index)
    out = infer([*NAMES_LIKE_PATHS, "../new"], NAMES_LIKE_PATHS, model=resources)

    written = {path.relative_to(tmp_path) for path in set(tmp_path.parent.rglob("*")) - before}
    names = {"resources/model.npz", "prediction", "prediction/prediction.h5ad"}
    assert {str(path) for path in written} == names | {"prediction/predict_program_proportion.csv"}
    assert pd.read_csv(out / "predict_program_proportion.csv")["gene"].tolist()[0] == "../up"


def test_train_and_infer_open_no_connection_start_no_program_and_write_in_two_places(
    competition, model_directory, tmp_path
):
    (tmp_path / "gene_features.npz").symlink_to(model_directory / "gene_features.npz")
    h5ad, csv = tmp_path / "p.h5ad", tmp_path / "p.csv"
    command = [sys.executable, "-B", "-c", WATCH, competition, tmp_path, h5ad, csv]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    written = [line.removeprefix("write ") for line in seen.stdout.splitlines()]
    assert len(written) >= 3
    assert all(f"{path}/".startswith(f"{tmp_path}/") for path in written), written


def test_no_source_reads_the_clients_token():
    for path in SOURCES:
        assert ".crunchdao" not in path.read_text(encoding="utf-8"), path


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git clone")
def test_git_ignores_what_the_client_keeps_and_what_train_makes():
    names = [".crunchdao/token", ".env", "resources/model.npz", f"data/{TRAINING_FILE}"]
    names += ["prediction/prediction.h5ad", ".venv/bin/python"]
    command = ["git", "check-ignore", *names]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert ignored == names


def test_the_workflow_audits_the_dependencies():
    workflows = (ROOT / ".github" / "workflows").glob("*.yml")
    assert any("pip-audit" in path.read_text() for path in workflows)
