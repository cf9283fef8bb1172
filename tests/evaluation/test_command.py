"""What a command says where the versions installed do not go together."""

import anndata as ad
import h5py

from evaluation.command import FAILED, ending


def test_an_anndata_that_cannot_write_pandas_text_is_told(tmp_path, capsys):
    def write():
        with h5py.File(tmp_path / "x.h5", "w") as file:
            ad.io.write_elem(file, "x", object())

    assert ending(write) == FAILED
    said = capsys.readouterr().err
    assert said.startswith("error: anndata ")
    assert 'pip install "pandas<3"' in said
    assert "Traceback" not in said
