import anndata as ad
import h5py
import numpy as np
import pytest
from scipy import sparse

from evaluation.reading import read_names
from perturbation.competition import TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.errors import InputError


def whole_matrix(dataset, cells_per_block):
    x = np.zeros((len(dataset.labels), len(dataset.genes)))
    for rows, columns, block in dataset.blocks(cells_per_block):
        x[rows, columns] += block.toarray()
    return x


@pytest.mark.parametrize("cells_per_block", [1, 7, 100_000])
def test_blocks_put_together_are_x(competition, cells_per_block):
    expected = ad.read_h5ad(competition / TRAINING_FILE).X.toarray()
    np.testing.assert_array_equal(
        whole_matrix(open_dataset(competition), cells_per_block), expected
    )


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
def test_every_layout_of_x_reads_the_same(competition_copy, layout):
    path = competition_copy / TRAINING_FILE
    expected = ad.read_h5ad(path).X.toarray()
    x = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.array}[layout](expected)
    with h5py.File(path, "r+") as file:
        del file["X"]
        ad.io.write_elem(file, "X", x)
    np.testing.assert_array_equal(whole_matrix(open_dataset(competition_copy), 9), expected)


def test_names_survive_a_byte_order_mark_crlf_and_blank_lines(tmp_path):
    (tmp_path / "genes.txt").write_bytes(b"\xef\xbb\xbfACTB\r\nGAPDH\r\n\r\n")
    assert read_names(tmp_path / "genes.txt") == ["ACTB", "GAPDH"]


def test_a_name_given_twice_is_refused(tmp_path):
    (tmp_path / "genes.txt").write_text("ACTB\nGAPDH\nACTB\n")
    with pytest.raises(InputError, match=r"genes\.txt names 1 genes twice: ACTB"):
        read_names(tmp_path / "genes.txt")
