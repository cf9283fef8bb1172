"""train() and infer() where the platform runs them: another user, read-only, offline, no home."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from evaluation.reading import read_names
from evaluation.scoring.checks import check_prediction
from tests.conftest import MODULES, ROOT

NOBODY = 65534
CALL = """
import json, os, sys
sys.path.insert(0, os.getcwd())
import main
getattr(main, sys.argv[1])(**json.loads(sys.argv[2]))
"""

# Everything becomes read-only but two directories, and nothing is on the network. Then root becomes
# nobody, who may read what belongs to others, as one may on the platform.
BOX = """
for directory in "$1" "$2"; do mount --bind "$directory" "$directory"; done
mount -o remount,bind,ro /
mount -t tmpfs -o ro tmpfs /dev/shm
shift 2
exec setpriv --reuid 65534 --regid 65534 --clear-groups \\
  --inh-caps -all,+dac_read_search --ambient-caps +dac_read_search "$@"
"""

# No HOME, no locale, no place for caches.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def cloud(competition, tmp_path):
    """Lay out code, data, resources and an empty prediction directory, and return their parent."""
    (tmp_path / "code").mkdir()
    for name in MODULES:
        shutil.copy(ROOT / name, tmp_path / "code")
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "perturbation", tmp_path / "code" / "perturbation", ignore=without_caches
    )
    shutil.copytree(competition, tmp_path / "data")
    for name in ("code/resources", "prediction"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "resources" / "gene_features.npz", tmp_path / "code" / "resources")
    return tmp_path


@pytest.fixture(params=["3.11", "3.12", "3.13"])
def python(request):
    """Return a Python of this version that has the packages."""
    version = request.param
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(f"python{version}")
    packages = "import sys, anndata, h5py, pandas, psutil, scipy, tqdm; print(sys.executable)"
    tried = found and subprocess.run([found, "-c", packages], capture_output=True, text=True)
    if not tried or tried.returncode:
        pytest.skip(f"no Python {version} with the packages of requirements.txt is on the PATH")
    return tried.stdout.strip()


@pytest.fixture
def box(cloud):
    """Return what to put before a command to run it in the box."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user and make the file system read-only")
    if not all(shutil.which(name) for name in ("unshare", "mount", "setpriv")):
        pytest.skip("unshare, mount and setpriv of util-linux are missing")
    directories = cloud / "code" / "resources", cloud / "prediction"
    for directory in directories:
        os.chown(directory, NOBODY, NOBODY)
    box = ["unshare", "--net", "--mount", "sh", "-ec", BOX, "sh", *directories]
    if refused := subprocess.run([*box, "true"], capture_output=True, text=True).stderr:
        pytest.skip(f"this machine allows no box: {refused}")
    return box


def call(cloud, stage, prefix, python, **changes):
    """Call main.py's function as the platform does, and return the finished process."""
    values = {
        "data_directory_path": cloud / "data",
        "model_directory_path": cloud / "code" / "resources",
    }
    if stage == "infer":
        values |= {
            "prediction_directory_path": cloud / "prediction",
            "prediction_h5ad_file_path": cloud / "prediction" / "prediction.h5ad",
            "program_proportion_csv_file_path": cloud
            / "prediction"
            / "predict_program_proportion.csv",
            "predict_perturbations": read_names(cloud / "data" / "predict_perturbations.txt"),
            "genes_to_predict": read_names(cloud / "data" / "genes_to_predict.txt"),
        }
    text = json.dumps(values | changes, default=str)
    return subprocess.run(
        [*prefix, python, "-c", CALL, stage, text],
        cwd=cloud / "code",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,  # no terminal
    )


def files(directory):
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def assert_valid(cloud, before):
    asked = (
        read_names(cloud / "data" / f"{name}.txt")
        for name in ("predict_perturbations", "genes_to_predict")
    )
    assert check_prediction(cloud / "prediction", *asked) == []
    written = {"prediction/prediction.h5ad", "prediction/predict_program_proportion.csv"}
    assert files(cloud) - before == written | {"code/resources/model.npz"}


def test_as_another_user_offline_with_two_places_to_write(cloud, box, python):
    before = files(cloud)
    for stage in ("train", "infer"):
        done = call(cloud, stage, box, python)
        assert done.returncode == 0, done.stderr
        assert len(done.stderr.splitlines()) < 100  # a log keeps its first 1,000 lines
    assert_valid(cloud, before)
    assert (cloud / "prediction" / "prediction.h5ad").stat().st_uid == NOBODY


def test_the_box_has_no_network_and_no_other_place_to_write(cloud, box):
    tries = "import socket; socket.create_connection(('192.0.2.1', 80), 2)", "open('new', 'w')"
    for code, reason in zip(tries, ("unreachable", "Read-only file system"), strict=True):
        command = [*box, sys.executable, "-c", code]
        refused = subprocess.run(command, cwd=cloud, capture_output=True, text=True)
        assert reason in refused.stderr


def test_a_place_where_one_may_not_write_gets_a_sentence(cloud, box):
    refused = call(cloud, "train", box, sys.executable, model_directory_path=cloud / "data")
    assert "InputError: " in refused.stderr
    assert "data/gene_features.npz cannot be written (Read-only file system)" in refused.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="to root, the box shows more")
def test_without_home_terminal_and_locale(cloud, python):
    for directory in ("code/perturbation", "data"):
        (cloud / directory).chmod(0o555)
    before = files(cloud)
    for stage in ("train", "infer"):
        done = call(cloud, stage, [], python)
        assert done.returncode == 0, done.stderr
    assert_valid(cloud, before)
