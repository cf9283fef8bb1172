"""A stage in its own process: what it is given, and how each of its ends is told."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from evaluation.local import stages
from evaluation.local.stage_process import call_by_name
from evaluation.local.stages import count_oom_kills, run_stage
from perturbation.errors import InputError
from tests.conftest import ROOT

TWO_ARGUMENTS = """
class BadShape(Exception):
    def __init__(self, name, shape):
        super().__init__(f"{name} has shape {shape}")

def train():
    raise BadShape("embedding", (3, 4))
"""
SENTENCE = """
class InputError(ValueError): ...
def train():
    raise InputError("cells.h5ad is missing.")
"""
ENDS = {
    "an exception that cannot be unpickled": (
        TWO_ARGUMENTS,
        r"train\(\) failed: user_code.BadShape: embedding has shape \(3, 4\)\n"
        r"  .*main.py, line 7, in train: raise BadShape",
    ),
    "an error below the user's code": (
        "import json\ndef train():\n    json.loads('{')\n",
        r"JSONDecodeError: Expecting.*\n.*main.py, line 3, in train: json.loads.*\n.*decoder.py",
    ),
    "a sentence": (SENTENCE, r"^cells.h5ad is missing\.$"),
    "exit()": (
        "def train():\n    exit()\n",
        r"ended the program, exit\(None\).*\n.*main.py, line 2",
    ),
    "os._exit(0)": (
        "import os\ndef train():\n    os._exit(0)\n",
        r"train\(\) failed: its process ended with status 0 before it returned",
    ),
    "an error before a bad end": (
        "import atexit, os\natexit.register(os._exit, 3)\ndef train():\n    raise KeyError('x')\n",
        r"train\(\) failed: KeyError: 'x'\n  .*main.py, line 4",
    ),
    "a segmentation fault": (
        "import ctypes\ndef train():\n    ctypes.string_at(0)\n",
        r"SIGSEGV \(Segmentation fault\) ended its process(.|\n)*main.py\", line 3 in train",
    ),
    "no such function": ("infer = print\n", r"main.py has no train\(\)\. The platform calls it"),
    "not Python": ("def train(:\n", r"main.py\", line 1\n(.|\n)*SyntaxError: invalid syntax"),
    "a missing module": ("import missing\n", "ModuleNotFoundError: No module named 'missing'"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_stage_that_fails_says_what_and_where(tmp_path, end):
    body, words = ENDS[end]
    (tmp_path / "main.py").write_text(body)
    with pytest.raises(InputError, match=words) as caught:
        run_stage(tmp_path, "train", {})
    assert "memory" not in str(caught.value).replace("of this machine", "")


KILLED = "import os, signal\ndef train():\n    os.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({}, "SIGKILL .* ended its process; it held"),
        ({"NEAR_THE_LIMIT": -1}, "killed because memory ran out"),
        ({"count_oom_kills": iter([3, 4]).__next__}, "killed because memory ran out"),
    ],
)
def test_memory_is_blamed_only_with_evidence(tmp_path, monkeypatch, evidence, words):
    (tmp_path / "main.py").write_text(KILLED)
    for name, value in evidence.items():
        monkeypatch.setattr(stages, name, value)
    with pytest.raises(InputError, match=words):
        run_stage(tmp_path, "train", {})


def test_kills_for_want_of_memory_are_read_from_the_cgroup(tmp_path):
    own, events = tmp_path / "cgroup", tmp_path / "job" / "memory.events"
    own.write_text("0::/job\n")
    assert count_oom_kills(tmp_path, own) == 0
    events.parent.mkdir()
    events.write_text("low 0\noom 3\noom_kill 2\noom_group_kill 1\n")
    assert count_oom_kills(tmp_path, own) == 2
    own.write_text("0::/seen/from/the/host\n")
    events.rename(tmp_path / "memory.events")
    assert count_oom_kills(tmp_path, own) == 2


def test_a_stage_passes_arguments_by_name_as_the_platform_does():
    seen = {}

    def infer(a, unknown, b=100):
        seen.update(a=a, unknown=unknown, b=b)

    call_by_name(infer, {"a": 1, "b": 2})
    assert seen == {"a": 1, "unknown": None, "b": 100}


def test_a_stage_runs_in_its_own_process_and_directory(tmp_path):
    body = "import os\ndef train(file):\n    open(file, 'w').write(f'{os.getcwd()} {__name__}')\n"
    (tmp_path / "main.py").write_text(body)
    cost = run_stage(tmp_path, "train", {"file": "where"})
    assert (tmp_path / "where").read_text() == f"{tmp_path} user_code"
    assert cost.seconds >= 0


def test_the_memory_of_a_stage_is_its_own_alone(tmp_path):
    (tmp_path / "main.py").write_text(
        "import time\ndef train():\n    held = bytearray(50_000_000)\n    time.sleep(0.2)\n"
    )
    held_here = bytearray(300_000_000)
    assert 5e7 < run_stage(tmp_path, "train", {}).peak_memory_bytes < len(held_here)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stage_ends_with_the_program_that_started_it(tmp_path, number):
    (tmp_path / "main.py").write_text(
        "import os, time\ndef train():\n    try:\n"
        "        open('pid', 'w').write(str(os.getpid()))\n        time.sleep(60)\n"
        "    finally:\n        open('tidied', 'w').close()\n"
    )
    code = "import pathlib, sys; from evaluation.local.stages import run_stage; "
    code += "run_stage(pathlib.Path(sys.argv[1]), 'train', {})"
    parent = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, stderr=-3)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    os.kill(parent.pid, number)
    parent.wait(50)
    child.wait(50)
    assert (tmp_path / "tidied").exists()
