"""Embeddings in every form that people keep them in, and what is told of a wrong one."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from perturbation.errors import InputError
from tools.gene_features.files import read_embedding
from tools.gene_features.tables import embedding_table

GENES, VECTORS = ["A", "B", "NA"], np.array([[1.0, 0.0], [0.0, 1.5], [2.0, -1.0]])
TABLE = pd.DataFrame(VECTORS, index=GENES)
NAMED = TABLE.set_axis(["x 1", "x 2"], axis=1).rename_axis("gene_name")
LINES = "A\t1 0\nB\t0 1.5\nNA\t2 -1\n"


def npy(path):
    np.save(path, VECTORS)
    path.with_suffix(".txt").write_text("\n".join(GENES))


def h5ad(path, x=VECTORS):
    anndata.AnnData(x, obs=pd.DataFrame(index=GENES)).write_h5ad(path)


FORMS = {
    "gene2vec.txt": lambda path: path.write_text(LINES),
    "word2vec.txt": lambda path: path.write_text("3 2\n" + LINES.replace("\t", " ")),
    "blanks.txt.gz": lambda path: TABLE.to_csv(path, sep=" ", header=False),
    "pandas.csv": TABLE.to_csv,
    "pandas.csv.gz": TABLE.to_csv,
    "pandas_named.csv": NAMED.to_csv,
    "pandas_numbered.csv": TABLE.rename_axis("ensembl").to_csv,
    "pandas_column.csv": NAMED.reset_index().to_csv,
    "pandas_names_inside.csv": lambda path: NAMED.reset_index()[["x 1", "gene_name", "x 2"]].to_csv(
        path
    ),
    "pandas_no_index.csv": lambda path: NAMED.reset_index().to_csv(path, index=False),
    "pandas.tsv": lambda path: TABLE.to_csv(path, sep="\t"),
    "pandas_named.tsv": lambda path: NAMED.to_csv(path, sep="\t"),
    "no_titles.tsv": lambda path: TABLE.to_csv(path, sep="\t", header=False),
    "index.parquet": lambda path: NAMED.to_parquet(path),
    "column.parquet": lambda path: NAMED.reset_index().to_parquet(path),
    "vectors.npy": npy,
    "array_a_gene.npz": lambda path: np.savez(path, **dict(zip(GENES, VECTORS, strict=True))),
    "two_arrays.npz": lambda path: np.savez(path, names=np.array(GENES), vectors=VECTORS),
    "dense.h5ad": h5ad,
    "sparse.h5ad": lambda path: h5ad(path, csr_matrix(VECTORS)),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_vectors(tmp_path, name):
    if name.endswith("parquet"):  # pyarrow may be there and not load beside an old numpy
        pytest.importorskip("pyarrow", exc_type=ImportError)
    FORMS[name](tmp_path / name)
    table = read_embedding(tmp_path / name)
    assert table.index.tolist() == GENES
    np.testing.assert_array_equal(table.to_numpy(), VECTORS)
    assert (table.dtypes == np.float64).all()


def test_two_names_of_a_gene_share_the_mean_of_their_vectors_and_dimensions_are_centred(tmp_path):
    (tmp_path / "e.txt").write_text("A 1 0\nOLD 3 0\nB 0 2\n")
    table = embedding_table("E", tmp_path / "e.txt", {"OLD": "A"})
    assert table.genes == ["A", "B"]
    np.testing.assert_allclose(table.values.toarray(), [[1, -1], [-1, 1]])


WRONG = {
    "missing.csv": (lambda path: None, r"missing\.csv is missing"),
    "empty.csv": (lambda path: path.write_text(""), "No columns to parse"),
    "no_vectors.txt": (lambda path: path.write_text("A\nB\n"), "genes of 0 dimensions"),
    "short.txt": (lambda path: path.write_text("A 1 2\nB 1\n"), "1 of 2 vectors .*: B"),
    "long.txt": (lambda path: path.write_text("A 1 2\nB 1 2 3\n"), "Expected 3 fields in line 2"),
    "text.txt": (lambda path: path.write_text("A 1 2\nB 1 x\n"), "1 of 2 vectors .*: B"),
    "nan.csv": (TABLE.replace(0, np.nan).to_csv, "2 of 3 vectors have a value that is missing"),
    "infinite.csv": (TABLE.replace(0, np.inf).to_csv, "no finite number: A, B. Leave"),
    "numbers.csv": (TABLE.reset_index(drop=True).to_csv, "no index and no column of gene names"),
    "text.npz": (lambda path: path.write_text("text"), "pickle"),
    "text.npy": (lambda path: path.write_text("text"), "pickle"),
    "text.parquet": (lambda path: path.write_text("text"), "cannot be read as an embedding"),
    "text.h5ad": (lambda path: path.write_text("text"), "cannot be read as an embedding"),
    "lengths.npz": (
        lambda path: np.savez(path, A=[1.0, 2.0], B=[1.0], C=[2.0, 1.0]),
        "1 of 3 vectors .*: B",
    ),
    "arrays.npz": (lambda path: np.savez(path, a=VECTORS, b=VECTORS), "cannot be read as an emb"),
    "alone.npy": (lambda path: np.save(path, VECTORS), r"alone\.txt is missing"),
    "names.npy": (
        lambda path: (np.save(path, VECTORS), path.with_suffix(".txt").write_text("A\nB\n")),
        r"Shape of passed values is \(3, 2\), indices imply \(2, 2\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_embedding_is_told_in_a_sentence(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", exc_type=ImportError)
    write, sentence = WRONG[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=sentence) as told:
        read_embedding(tmp_path / name)
    assert str(told.value).startswith(str(tmp_path))
    assert "\n" not in str(told.value)
