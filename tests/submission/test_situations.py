"""Whole files that cannot be read as they are: one sentence with the right cure, and status 2."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

import local_test
from perturbation.data.dataset import open_dataset
from perturbation.errors import InputError
from tests.submission.spoilers import TRAINING

HOLD = (
    "import h5py, sys, time; f = h5py.File(sys.argv[1], 'r+'); print(1, flush=True); time.sleep(9)"
)
NO_LOCKS = (
    "Unable to synchronously open file (unable to lock file, errno = 37, error message = 'x')"
)


def with_a_filter_nobody_has(path):
    with h5py.File(path, "r+") as file:
        values = file["X/data"][...]
        del file["X/data"]
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((len(values),))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))  # zstd
        space = h5py.h5s.create_simple(values.shape)
        h5py.h5d.create(file["X"].id, b"data", h5py.h5t.NATIVE_DOUBLE, space, plan)
        file["X/data"].id.write_direct_chunk((0,), values.tobytes(), 0)


def with_an_unknown_encoding(path):
    with h5py.File(path, "r+") as file:
        file["obs/lipo"].attrs["encoding-type"] = "of-tomorrow"


def refused(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(h5py, "File", fail)


SITUATIONS = {
    "a filter that nobody has": (with_a_filter_nobody_has, None, 'compression="gzip"'),
    "an unknown encoding": (with_an_unknown_encoding, None, "version of anndata does not know"),
    "no locks": (None, OSError(37, NO_LOCKS), "HDF5_USE_FILE_LOCKING=FALSE"),
    "no permission": (None, PermissionError(13, "Permission denied"), "may not be read by this"),
    "a broken disk": (None, OSError(5, "Input/output error"), "disk or network drive failed"),
}


def sentence(capsys, data, *arguments):
    status = local_test.main(["--data", str(data), "--cv", "2", *map(str, arguments)])
    return status, capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_whole_file_is_never_called_broken(competition_copy, monkeypatch, capsys, name):
    spoil, error, words = SITUATIONS[name]
    if spoil:
        spoil(competition_copy / TRAINING)
    else:
        refused(monkeypatch, error)
    before = sorted(competition_copy.rglob("*"))
    status, told = sentence(capsys, competition_copy)
    assert status == 2
    assert words in told
    assert "download" not in told
    assert sorted(competition_copy.rglob("*")) == before


def test_a_file_open_for_writing_elsewhere_is_not_called_broken(competition_copy, capsys):
    path = competition_copy / TRAINING
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        status, told = sentence(capsys, competition_copy)
        other.kill()
    assert status == 2
    assert "is open for writing in another program" in told


def test_a_layer_of_an_unknown_kind_is_never_read(competition_copy):
    with h5py.File(competition_copy / TRAINING, "r+") as file:
        file.require_group("layers/odd").attrs["encoding-type"] = "of-tomorrow"
    assert len(open_dataset(competition_copy).labels) == 400


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_place_where_one_may_not_write_is_told_before_the_work(
    competition, tmp_path, capsys, option
):
    (tmp_path / "file").touch()
    status, told = sentence(capsys, competition, option, tmp_path / "file" / "out")
    assert status == 2
    assert "cannot be written (its directory is a file)" in told
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("way", ["tables of records", "codes beside a group of categories"])
def test_a_file_of_an_old_anndata_is_to_be_written_again(competition_copy, way):
    path = competition_copy / TRAINING
    with h5py.File(path, "r+") as file:
        if way == "tables of records":
            del file["obs"]
            file["obs"] = np.zeros(400, [("index", "S9"), ("gene", "i1")])
        else:
            file.create_group("obs/__categories")
    with pytest.raises(InputError, match=r"since version 0\.8"):
        open_dataset(competition_copy)
