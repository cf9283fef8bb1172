"""The scale benchmark: its floors touch the bytes they say, and it refuses a full disk."""

import shutil
from types import SimpleNamespace

import pytest

from benchmarks import scale
from perturbation.errors import InputError


def test_floor_of_infer_writes_as_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "SLICE_BYTES", 1000)
    assert scale.write(tmp_path / "floor", 12345) > 0
    assert (tmp_path / "floor").stat().st_size == 12345


def test_peak_memory_is_that_of_the_process_it_ran():
    little, much = (scale.timed("-c", f"b'x' * {n}") for n in (1, 900_000_000))
    assert much.peak_memory_bytes > little.peak_memory_bytes + 100_000_000


def test_a_disk_without_room_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(InputError, match=r"1\.0 GB free and \d\d\.\d GB are needed"):
        scale.check_room(tmp_path / "scale-x", *scale.FULL)
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_fails_is_told_with_its_error(capfd):
    with pytest.raises(InputError, match="failed with the error above"):
        scale.timed("-c", "1 / 0")
    assert "ZeroDivisionError" in capfd.readouterr().err
