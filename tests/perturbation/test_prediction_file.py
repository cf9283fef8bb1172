import tracemalloc
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from perturbation import files
from perturbation.competition import PROGRAM_FLAGS
from perturbation.errors import InputError
from perturbation.output import prediction_file
from perturbation.output.prediction_file import write_prediction

GENES = [f"G{i}" for i in range(50)]


def proportions(n):
    rows = [f"P{i}" for i in range(n)]
    return pd.DataFrame([[0.3, 0.3, 0.4, 0.1]] * n, index=rows, columns=list(PROGRAM_FLAGS))


def blocks(n, n_genes=50):
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield rng.random((100, n_genes), dtype=np.float32)


def write(directory, source, n=6, genes=GENES, **options):
    write_prediction(
        directory / "prediction.h5ad",
        directory / "proportions.csv",
        source,
        genes,
        proportions(n),
        **options,
    )


def test_disk_and_memory_give_identical_files(tmp_path):
    for name, in_memory in (("disk", False), ("memory", True)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, blocks(6), in_memory=in_memory)
    for name in ("prediction.h5ad", "proportions.csv"):
        assert (tmp_path / "disk" / name).read_bytes() == (tmp_path / "memory" / name).read_bytes()


def test_anndata_reads_what_was_written(tmp_path):
    write(tmp_path, blocks(6))
    adata = ad.read_h5ad(tmp_path / "prediction.h5ad")
    np.testing.assert_array_equal(adata.X, np.concatenate(list(blocks(6))))
    assert adata.X.dtype == np.float32
    assert list(adata.var_names) == GENES
    assert list(adata.obs.columns) == ["gene"]
    assert adata.obs["gene"].tolist() == [f"P{i}" for i in range(6) for _ in range(100)]
    assert adata.obs["gene"].dtype == "category"


def test_the_table_has_the_five_columns_the_platform_accepts(tmp_path):
    write(tmp_path, blocks(6))
    header = (tmp_path / "proportions.csv").read_text().splitlines()[0]
    assert header == "gene,pre_adipo,adipo,lipo,other"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError, MemoryError])
def test_a_failure_leaves_nothing_behind_and_old_files_as_they_were(tmp_path, fault):
    def failing():
        yield from blocks(3)
        raise fault

    (tmp_path / "prediction.h5ad").write_text("old")
    with pytest.raises(fault):
        write(tmp_path, failing())
    assert [path.name for path in tmp_path.iterdir()] == ["prediction.h5ad"]
    assert (tmp_path / "prediction.h5ad").read_text() == "old"


def test_an_error_about_another_file_is_passed_on(tmp_path):
    def failing():
        yield from blocks(3)
        (tmp_path / "weights.npz").open()

    with pytest.raises(FileNotFoundError, match=r"weights\.npz"):
        write(tmp_path, failing())
    assert not list(tmp_path.iterdir())


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    left = files.unfinished_name(tmp_path / "prediction.h5ad")
    left.write_text("half a file")
    write(tmp_path, blocks(6))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "prediction.h5ad",
        "proportions.csv",
    ]


def test_a_full_disk_is_noticed_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match=r"needs 0\.00 GB, but only 0\.00 GB are free"):
        write(tmp_path, blocks(6))
    assert not list(tmp_path.iterdir())


def test_little_memory_means_streaming(tmp_path, monkeypatch):
    genes = [f"G{i}" for i in range(2000)]
    matrix_bytes = 4 * 100 * 30 * len(genes)
    peaks = []
    for available in (1000, 10**12):
        monkeypatch.setattr(prediction_file, "available_memory", lambda value=available: value)
        tracemalloc.start()
        write(tmp_path, blocks(30, len(genes)), n=30, genes=genes)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 0.3 * matrix_bytes
    assert peaks[1] > matrix_bytes
