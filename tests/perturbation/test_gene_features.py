"""Gene features as the predictors use them: kernels, aliases, broken files, the shipped file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perturbation.errors import InputError
from perturbation.model.gene_features import FORMAT, load_gene_features

SOURCES = ["GO", "PubMed", "Pfam"]
SHIPPED = Path(__file__).parents[2] / "resources" / "gene_features.npz"

# fmt: off
TRANSCRIPTION_FACTORS = [
    "PPARG", "CEBPA", "CEBPB", "CEBPD", "EBF2", "PRDM16", "KLF4", "KLF15", "SREBF1", "STAT5A",
    "NR3C1", "RXRA", "GATA2", "GATA3", "TCF7L2", "SOX6", "FOXC1", "ZBTB20", "ZNF423", "ZNF521",
    "TWIST1", "POU5F1", "NANOG", "SOX2", "MYC", "JUN", "FOS", "SPI1", "RUNX1", "CHD4",
]
# fmt: on


def arrays() -> dict[str, np.ndarray]:
    """Three genes, two terms: A has both terms, B the second alone, C none; OLD is A."""
    return {
        "format": np.array(FORMAT),
        "genes": np.array(["A", "B", "C"]),
        "aliases": np.array(["OLD"]),
        "alias_rows": np.array([0]),
        "sources": np.array(["GO"]),
        "versions": np.array(["2022"]),
        "licences": np.array(["CC-BY 4.0"]),
        "GO.terms": np.array(["GO:1", "GO:2"]),
        "GO.term_names": np.array(["first", "second"]),
        "GO.term_weights": np.array([3.0, 4.0]),
        "GO.indptr": np.array([0, 2, 3, 3]),
        "GO.indices": np.array([0, 1, 1]),
        "GO.values": np.array([1, 1, 1], dtype=np.uint8),
    }


def write(path: Path, **changes: np.ndarray | None) -> Path:
    """Write the example with some arrays changed, or left out where None."""
    content = arrays() | {name.replace("__", "."): array for name, array in changes.items()}
    np.savez_compressed(path, **{k: v for k, v in content.items() if v is not None})
    return path


@pytest.fixture
def features(tmp_path):
    return load_gene_features(write(tmp_path / "features.npz"))


def test_rows_are_weighted_and_have_length_one(features):
    rows = features.sources["GO"].rows
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.toarray(), [[0.6, 0.8], [0, 1], [0, 0]], rtol=1e-7)


def test_kernel_is_the_cosine_of_rows(features):
    kernel = features.kernel("GO", ["A", "B", "C"], ["B", "A"])
    assert kernel.dtype == np.float64
    np.testing.assert_allclose(kernel, [[0.8, 1], [1, 0.8], [0, 0]], rtol=1e-7)


def test_unknown_genes_have_zeros(features):
    np.testing.assert_array_equal(features.kernel("GO", ["NEW", "B"], ["B"]), [[0], [1]])


def test_a_source_that_is_not_there_is_told(features):
    with pytest.raises(InputError, match=r"no source STRING, only .* how to add one"):
        features.kernel("STRING", ["A"], ["A"])


def test_no_genes_give_an_empty_kernel(features):
    assert features.kernel("GO", [], ["A"]).shape == (0, 1)
    assert features.kernel("GO", ["NEW"], []).shape == (1, 0)


def test_an_alias_stands_for_its_gene(features):
    np.testing.assert_allclose(features.kernel("GO", ["OLD"], ["A", "B"]), [[1, 0.8]], rtol=1e-7)


def test_a_current_symbol_wins_over_an_alias_of_the_same_name(tmp_path):
    path = write(tmp_path / "f.npz", aliases=np.array(["B"]))
    np.testing.assert_allclose(load_gene_features(path).kernel("GO", ["B"], ["A"]), [[0.8]])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": None}, "has the format 'none', expected 'gene_features 1'"),
        ({"format": np.array("gene_features 9")}, "has the format 'gene_features 9', expected"),
        ({"genes": np.array(["A", "B", None])}, "pickle"),
    ],
)
def test_a_broken_file_is_told_in_a_sentence(tmp_path, changes, sentence):
    path = write(tmp_path / "features.npz", **changes)
    with pytest.raises(InputError) as told:
        load_gene_features(path)
    assert str(told.value).startswith(f"{path} ")
    assert sentence in str(told.value)
    assert "python -m tools.gene_features.build" in str(told.value)


def test_a_missing_file_is_told_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        load_gene_features(tmp_path / "features.npz")


def test_a_truncated_file_is_told_in_a_sentence(tmp_path):
    path = write(tmp_path / "features.npz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="cannot be read as npz"):
        load_gene_features(path)


def test_a_file_of_another_kind_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "features.npz"
    np.save(path.open("wb"), np.arange(3))
    with pytest.raises(InputError, match="cannot be read as npz"):
        load_gene_features(path)


def test_a_damaged_array_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "features.npz"
    np.savez(path, **arrays())
    content = path.read_bytes()
    at = content.index("second".encode("utf-32-le"))
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(InputError, match="cannot be read"):
        load_gene_features(path)


def test_features_are_shown_in_one_line(features):
    assert repr(features) == "GeneFeatures(3 genes; GO)"


@pytest.fixture(scope="module")
def shipped():
    return load_gene_features(SHIPPED)


def test_shipped_sources_say_where_they_come_from(shipped):
    assert list(shipped.sources)[: len(SOURCES)] == SOURCES
    for source in map(shipped.sources.get, SOURCES):
        assert "2022" in source.version
        assert source.licence != "not stated"


def test_shipped_file_is_under_12_megabytes(shipped):
    if len(shipped.sources) > len(SOURCES):
        pytest.skip("sources were added")
    assert SHIPPED.stat().st_size < 12e6


def test_shipped_sources_know_transcription_factors(shipped):
    known = {
        source: shipped.kernel(source, TRANSCRIPTION_FACTORS, TRANSCRIPTION_FACTORS).diagonal() > 0
        for source in SOURCES
    }
    assert known["GO"].all()
    assert known["PubMed"].all()
    assert known["Pfam"].mean() > 0.9


def test_shipped_aliases_never_hide_a_symbol(shipped):
    genes = set(shipped.genes.tolist())
    rows = np.array([shipped.row_of[gene] for gene in shipped.genes])
    np.testing.assert_array_equal(rows, np.arange(len(genes)))
    assert shipped.row_of["MLL"] == shipped.row_of["KMT2A"]
    assert shipped.row_of["C14orf1"] == shipped.row_of["ERG28"]
    assert "OCT4" not in shipped.row_of  # of POU5F1, and of one of its pseudogenes


def test_shipped_rows_have_length_one_or_zero(shipped):
    for source in shipped.sources.values():
        length = np.sqrt(source.rows.power(2).sum(axis=1))
        filled = np.diff(source.rows.indptr) > 0
        np.testing.assert_allclose(length[filled], 1, rtol=1e-5)


def test_shipped_kernels_are_positive_semidefinite(shipped):
    for source in shipped.sources:
        kernel = shipped.kernel(source, TRANSCRIPTION_FACTORS, TRANSCRIPTION_FACTORS)
        np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
        assert np.linalg.eigvalsh(kernel).min() > -1e-6


def test_shipped_terms_of_go_have_names(shipped):
    source = shipped.sources["GO"]
    assert "white fat cell differentiation" in source.term_names
    assert all(term.startswith("GO:") for term in source.terms)
    assert all(source.term_names)
