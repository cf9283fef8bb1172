"""The real client, as a user runs it, against a loopback hub; clones that it set up."""

import hashlib
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import NamedTuple

import anndata
import pandas as pd
import pytest

from perturbation import competition
from tests.client.hub import CLONE_TOKEN, running_hub

COMPETITION = "broad-obesity-1"
REPOSITORY = Path(__file__).parents[2]
SCRIPTS = Path(__file__).with_name("competition_scripts")
DEMO = REPOSITORY / "data" / "demo"
DATA_FILES = [path.name for path in DEMO.iterdir() if path.suffix in {".h5ad", ".csv", ".txt"}]
PREDICTION_FILES = {competition.PREDICTION_FILE, competition.PREDICTED_PROPORTIONS_FILE}
TRUE_CELLS, TRUE_PROPORTIONS = "tf150_gtruth.h5ad", "program_proportion_gtruth.csv"
DESCRIPTION = "Method description.md"


class Project(NamedTuple):
    """A directory that was set up, and what the last command printed there."""

    directory: Path
    printed: str


@pytest.fixture(scope="session")
def hub():
    with running_hub([DEMO / name for name in DATA_FILES]) as hub:
        yield hub


@pytest.fixture(scope="session")
def environment(hub, tmp_path_factory):
    """Return variables for the client; everything it needs is on this machine."""
    platform = tmp_path_factory.mktemp("platform")
    shutil.copytree(SCRIPTS, platform / "competitions" / COMPETITION / "scoring")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "CRUNCH_API_BASE_URL": hub.url,
        "CRUNCH_COMPETITIONS_SOURCE": f"local://{platform}",
        "CRUNCH_ENVIRONMENT": "",  # set, so that no .env file can name another server
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nobody listens: a call to the outside fails
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="session")
def crunch(environment):
    """Run the client in a directory."""

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


@pytest.fixture(scope="session")
def trained(crunch, tmp_path_factory):
    """Yield a clone after `crunch setup` and `crunch test`."""
    clone = copy_repository(tmp_path_factory.mktemp("trained") / "clone")
    succeed(set_up(crunch, clone, "--force"))
    return Project(clone, succeed(crunch("test", cwd=clone)))


@pytest.fixture(scope="session")
def pushed(crunch, hub, trained, tmp_path_factory):
    """Yield what arrives at the hub from a trained clone full of things that must not go."""
    clone = tmp_path_factory.mktemp("pushed") / "clone"
    shutil.copytree(trained.directory, clone)
    litter(clone)
    succeed(crunch("push", "-m", "first try", cwd=clone))
    return hub.submissions[-1]


@pytest.fixture(scope="session")
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


def read_names(directory, name=competition.PERTURBATIONS_FILE):
    return (directory / name).read_text().split()
