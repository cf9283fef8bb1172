"""What is judged is what ships: a step of main.py that is spoilt shows in every judgement of it."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import DEMO, ROOT

CELLS = "cells_at(model.base_cells[:, columns], (row[columns] for row in centroids))"
SHARES = "    return cells, checked_proportions(shares, perturbations)\n"
SPOILT = {
    "equal rows": (
        CELLS,
        "(np.tile(row[columns], (100, 1)).astype(np.float32) for row in centroids)",
    ),
    "shuffled proportions": (
        SHARES,
        "    swapped = {'adipo': 'other', 'other': 'adipo'}\n"
        "    shares = shares.rename(columns=swapped).assign(lipo=0.0)\n" + SHARES,
    ),
    "no own transcript": ("OwnTranscript(Blend())", "Blend()"),
    "shifted centroid": (
        "(row[columns] for row in centroids)",
        "(np.roll(row[columns], 1) for row in centroids)",
    ),
}
SUBMISSIONS = {
    "as shipped": (),
    # Three steps at a time: each shows in a metric of its own.
    "spoilt": ("equal rows", "shuffled proportions", "no own transcript"),
    "shifted": ("shifted centroid",),
}
SHOWS = [
    ("spoilt", "equal rows", "mmd"),
    ("spoilt", "shuffled proportions", "l1"),
    ("spoilt", "no own transcript", "pearson_delta"),
]
COMMANDS = {
    "local_test": [],
    "--cv": ["--cv", "2", "--repeats", "1"],
    "--cv --whole": ["--cv", "2", "--whole"],
}


def scores_of(place, data, arguments):
    """Mean score of the submission by metric, as one command writes it."""
    file = place / f"{len(arguments)}.json"
    command = [sys.executable, "local_test.py", "--data", data, *arguments, "--json", file]
    run = subprocess.run(
        command,
        cwd=place,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(file.read_text())
    if not arguments:
        return found["scores"]["your_prediction"]["mean"]
    rows = found["comparisons"]
    judged = [row for row in rows if row["contender"] in ("shipped", "submission")]
    return {row["metric"]: row["score"]["mean"] for row in judged}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Scores by submission and command: as it ships, and with each step spoilt."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = [name for name in files.stdout.decode().split("\0") if name and "tests/" not in name]
    tasks = {}
    for title, steps in SUBMISSIONS.items():
        place = tmp_path_factory.mktemp("submission")
        for name in names:
            if (ROOT / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place / name)
        subprocess.run(["git", "init", "-q"], cwd=place, check=True)
        subprocess.run(["git", "add", "-A"], cwd=place, check=True)
        text = (place / "main.py").read_text()
        for step in steps:
            before, after = SPOILT[step]
            assert before in text
            text = text.replace(before, after)
        (place / "main.py").write_text(text)
        for command, arguments in COMMANDS.items():
            if title != "shifted" or command == "--cv":
                tasks[title, command] = (place, DEMO, arguments)
    with ThreadPoolExecutor(2) as pool:
        scores = pool.map(lambda task: scores_of(*task), tasks.values())
        return dict(zip(tasks, scores, strict=True))


@pytest.mark.parametrize(
    ("submission", "step", "metric", "command"),
    [(*show, command) for show in SHOWS for command in COMMANDS]
    + [("shifted", "shifted centroid", "pearson_delta", "--cv")],
)
def test_a_spoilt_step_of_main_shows_in_every_judgement(judged, submission, step, metric, command):
    before, after = (judged[name, command][metric] for name in ("as shipped", submission))
    loss = before - after if metric == "pearson_delta" else after - before
    assert loss > 1e-4


def test_the_fast_way_and_the_black_box_agree(judged):
    fast, whole = judged["as shipped", "--cv"], judged["as shipped", "--cv --whole"]
    assert fast == pytest.approx(whole, abs=1e-6)
