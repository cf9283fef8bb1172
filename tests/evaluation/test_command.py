"""What a command says where the versions installed do not go together."""

import sys

import anndata as ad
import h5py

from evaluation.command import FAILED, ending, users_main


def test_an_anndata_that_cannot_write_pandas_text_is_told(tmp_path, capsys):
    def write():
        with h5py.File(tmp_path / "x.h5", "w") as file:
            ad.io.write_elem(file, "x", object())

    assert ending(write) == FAILED
    said = capsys.readouterr().err
    assert said.startswith("error: anndata ")
    assert 'pip install "pandas<3"' in said
    assert "Traceback" not in said


def test_a_main_that_does_not_load_is_told_with_its_place(tmp_path, monkeypatch, capsys):
    (tmp_path / "main.py").write_text("def train(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "main")
    assert ending(users_main) == FAILED
    said = capsys.readouterr().err
    assert "main.py cannot be loaded" in said
    assert "line 1" in said
    assert "SyntaxError" in said
    assert "Traceback" not in said
