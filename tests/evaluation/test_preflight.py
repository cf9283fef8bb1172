"""A clone that is ready to push, and clones that are broken in many ways."""

import shutil
import sys

import pytest

import main
from evaluation.preflight import run as preflight_module
from evaluation.preflight.findings import (
    FAULT,
    FINE,
    REFUSED,
    WARNING,
    describe_findings,
    has_fault,
)
from evaluation.preflight.imports import follow_imports
from evaluation.preflight.run import preflight, room_findings
from perturbation.errors import InputError
from tests.conftest import DEMO, MODULES, ROOT

CODE = (*MODULES, "perturbation", "requirements.txt", "Method description.md", ".gitignore")


@pytest.fixture(scope="module")
def ready(competition, model_directory, tmp_path_factory):
    """Return a clone with data and a model. Do not write into it."""
    clone = tmp_path_factory.mktemp("ready") / "clone"
    without_caches = shutil.ignore_patterns("__pycache__")
    for name in CODE:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, clone / name, ignore=without_caches)
        else:
            shutil.copy(ROOT / name, clone / name)
    shutil.copytree(competition, clone / "data")
    shutil.copytree(DEMO, clone / "data" / "demo")
    shutil.copytree(model_directory, clone / "resources")
    return clone


@pytest.fixture
def clone(ready, tmp_path):
    return shutil.copytree(ready, tmp_path / "clone")


@pytest.fixture(scope="module")
def demo_model(tmp_path_factory):
    main.train(str(DEMO), str(tmp_path_factory.mktemp("demo")))
    return next(tmp_path_factory.getbasetemp().glob("demo*/model.npz"))


def add(name, text):
    def change(clone):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        with (clone / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def without(name):
    return lambda clone: (clone / name).unlink()


def without_line(name, text):
    def change(clone):
        lines = (clone / name).read_text().splitlines(keepends=True)
        (clone / name).write_text("".join(line for line in lines if text not in line))

    return change


def only_the_demo(clone):
    for path in (clone / "data").iterdir():
        if path.is_file():
            path.unlink()


def cut_model(clone):
    whole = (clone / "resources" / "model.npz").read_bytes()
    (clone / "resources" / "model.npz").write_bytes(whole[:1000])


BROKEN = {
    "no requirements": (without("requirements.txt"), REFUSED, "requirements.txt is missing, or"),
    "a requirement left out": (
        without_line("requirements.txt", "h5py"),
        FAULT,
        "lacks h5py, imported as h5py in perturbation/",
    ),
    "an import that nobody requires": (
        add("perturbation/model/cells.py", "\nimport hypothesis.strategies\n"),
        FAULT,
        "lacks hypothesis, imported as hypothesis in perturbation/model/cells.py, line",
    ),
    "an import inside a function": (
        add("main.py", "\ndef late():\n    from torch import nn\n    return nn\n"),
        FAULT,
        "lacks torch, imported as torch in main.py, line",
    ),
    "requirements elsewhere": (
        add("requirements.txt", "-r more.txt\n"),
        REFUSED,
        "not allowed: -r",
    ),
    "main.py cut": (
        add("main.py", "\ndef"),
        FAULT,
        "main.py: Python cannot read it (invalid syntax",
    ),
    "a module that hides a library": (
        add("random.py", ""),
        FAULT,
        "random at the top hides the lib",
    ),
    "a folder that hides one": (add("sklearn/own.py", ""), FAULT, "sklearn at the top hides"),
    "a large file": (
        add("old/stray.bin", "0" * 4_000_000),
        WARNING,
        "largest is old/stray.bin, 4.0",
    ),
    "no method": (without("Method description.md"), FAULT, "description.md` is missing"),
    "a method not in ASCII": (
        add("Method description.md", "naïve\n"),
        FAULT,
        "only ASCII is allowed",
    ),
    "npz ignored": (add(".gitignore", "*.npz\n"), FAULT, "resources/model.npz would not be sent"),
    "model.npz ignored": (add(".gitignore", "model.npz\n"), FAULT, "model.npz would not be sent"),
    "code ignored": (add(".gitignore", "matrix.py\n"), FAULT, "matrix.py would not be sent"),
    "never trained": (without("resources/model.npz"), FAULT, "no model was trained yet"),
    "a model cut": (cut_model, FAULT, "model.npz cannot be read"),
    "a gene added to the list": (add("data/genes_to_predict.txt", "TBP\n"), FAULT, "first: TBP"),
    "a gene twice in the list": (
        add("data/genes_to_predict.txt", "X\nX\n"),
        FAULT,
        "genes_to_predict.txt names 1 genes twice: X",
    ),
    "no data": (only_the_demo, WARNING, "whether it is the competition's is not known"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_clone_is_told(clone, fault, monkeypatch):
    monkeypatch.setattr(preflight_module, "trial_findings", lambda _: [])
    change, level, words = BROKEN[fault]
    change(clone)
    findings = preflight(clone)
    assert [finding for finding in findings if finding.level == level and words in finding.text]
    assert has_fault(findings) == (level != WARNING)


def test_a_clone_that_is_ready_has_no_fault_and_is_left_as_it_was(clone):
    before = {path: path.stat().st_mtime_ns for path in clone.rglob("*") if path.is_file()}
    findings = preflight(clone)
    assert {finding.level for finding in findings} == {FINE}, describe_findings(findings)
    text = describe_findings(findings)
    for words in ("was trained on 400 cells x 60 genes", "is valid", "disk: ", "memory: "):
        assert words in text
    assert text.endswith("Ready to push.")
    made = {path for path in clone.rglob("*") if path.is_file()} - before.keys()
    assert all(path.suffix == ".pyc" for path in made)
    assert before == {path: path.stat().st_mtime_ns for path in before}


INFER_THAT_FAILS = """
def infer(predict_perturbations):
    raise KeyError(predict_perturbations[0])
"""
INFER_THAT_LITTERS = """
_infer = infer
def infer(data_directory_path, prediction_directory_path, prediction_h5ad_file_path,
          program_proportion_csv_file_path, model_directory_path, predict_perturbations,
          genes_to_predict):
    _infer(**locals())
    Path(prediction_directory_path, "prediction_matrix.h5").touch()
"""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (INFER_THAT_FAILS, "infer() failed: KeyError: 'GENE"),
        (INFER_THAT_LITTERS, "prediction: may not hold prediction_matrix.h5."),
    ],
)
def test_an_infer_that_fails_here_is_told(clone, code, words):
    add("main.py", code)(clone)
    findings = preflight(clone)
    (fault,) = [finding.text for finding in findings if finding.level == FAULT]
    assert words in fault
    assert describe_findings(findings).endswith("Not ready to push: faults 1.")


def test_a_model_of_the_demo_is_told(clone, demo_model, monkeypatch):
    monkeypatch.setattr(preflight_module, "trial_findings", lambda _: [])
    shutil.copy(demo_model, clone / "resources")
    assert "other data than" in describe_findings(preflight(clone))
    only_the_demo(clone)
    text = describe_findings(preflight(clone))
    assert ": the demo. Run `crunch download` and train again." in text
    (clone / "data" / "demo" / "program_proportion.csv").unlink()
    assert "program_proportion.csv is missing" in describe_findings(preflight(clone))


def test_without_the_client_nobody_can_say(clone, monkeypatch):
    monkeypatch.setitem(sys.modules, "crunch.command.push", None)
    with pytest.raises(InputError, match=r"client cannot be asked .*: pip install -r req"):
        preflight(clone)


def test_a_full_run_that_does_not_fit_is_told(tmp_path):
    disk, memory = room_findings(tmp_path, (2_863, 10_238), 10**9)
    assert "2,863 knock-outs of 10,238 genes take 11.72 GB" in disk.text
    assert "take 11.72 GB" in memory.text
    disk, _ = room_findings(tmp_path, (2_863, 40_000), 10**9)
    assert disk.level == FAULT
    _, memory = room_findings(tmp_path, (10, 10), 10**11)
    assert memory.level == FAULT


def test_imports_are_followed_through_own_modules_alone(tmp_path):
    package = tmp_path / "own" / "deep"
    package.mkdir(parents=True)
    (tmp_path / "own" / "__init__.py").write_text("import h5py")
    (package / "__init__.py").write_text("from ..side import name\nfrom . import low")
    (tmp_path / "own" / "side.py").write_text("import json\nfrom numpy import load as name")
    (package / "low.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
    )
    (tmp_path / "other.py").write_text("import pandas")
    (tmp_path / "main.py").write_text("import os\nfrom own import deep\n")
    packages, files = follow_imports(tmp_path / "main.py")
    assert packages == {"h5py": "own/__init__.py, line 1", "numpy": "own/side.py, line 2"}
    assert (package / "low.py") in files
    assert (tmp_path / "other.py") not in files


@pytest.mark.parametrize(
    ("code", "missed"),
    [
        ("try:\n    import torch\nexcept ImportError:\n    torch = None\n", False),
        ("try:\n    import torch\nexcept (KeyError, ModuleNotFoundError):\n    pass\n", False),
        ("if __name__ == '__main__':\n    import torch\n", False),
        ("try:\n    import torch\nexcept ImportError as e:\n    raise SystemExit from e\n", True),
        ("try:\n    import torch\nfinally:\n    pass\n", True),
        ("try:\n    import torch\nexcept KeyError:\n    pass\n", True),
        ("\N{ZERO WIDTH NO-BREAK SPACE}import torch\n", True),
        ("# coding: latin-1\nimport torch  # \xe9\n", True),
    ],
)
def test_an_import_counts_unless_its_failure_is_caught(tmp_path, code, missed):
    encoding = "latin-1" if "latin" in code else "utf-8"
    (tmp_path / "main.py").write_bytes(code.encode(encoding))
    packages, _ = follow_imports(tmp_path / "main.py")
    assert ("torch" in packages) == missed
