"""The scale benchmark: its floors touch the bytes they say, and it refuses a full disk."""

import shutil
from types import SimpleNamespace

import h5py
import pytest

from benchmarks import scale, scale_steps
from perturbation.competition import TRAINING_FILE
from perturbation.errors import InputError
from simulation.competition import simulate


def test_floor_of_train_reads_every_array_of_x(tmp_path, monkeypatch):
    simulate(tmp_path, n_cells=400, n_genes=60, n_perturbations=12)
    monkeypatch.setattr(scale_steps, "SLICE_BYTES", 1000)
    _, n_bytes = scale_steps.read(tmp_path)
    with h5py.File(tmp_path / TRAINING_FILE) as file:
        assert n_bytes == sum(file["X"][name].nbytes for name in ("data", "indices", "indptr"))


def test_floor_of_infer_writes_as_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(scale_steps, "SLICE_BYTES", 1000)
    scale_steps.write(tmp_path, "12345")
    assert (tmp_path / "floor").stat().st_size == 12345


def test_peak_memory_covers_what_was_once_held():
    before = scale_steps.peak_bytes()
    held = bytearray(before + 50_000_000)
    held[::4096] = b"x" * len(held[::4096])
    del held
    assert scale_steps.peak_bytes() > before + 50_000_000


def test_a_disk_without_room_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(InputError, match=r"1\.0 GB free and 26\.0 GB are needed"):
        scale.check_room(tmp_path / "scale-x", scale.FULL)
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_fails_is_told_with_its_error(tmp_path):
    with pytest.raises(InputError, match=r"scale_steps read .* failed:[\s\S]*Unable to"):
        scale.step("read", data=tmp_path)
