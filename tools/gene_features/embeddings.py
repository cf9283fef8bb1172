"""Reads embeddings, one vector of numbers a gene, in the forms that people keep them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from evaluation.reading import read_names
from perturbation.data.names import listed
from perturbation.errors import InputError
from tools.gene_features.files import TITLES, first_fields, is_number, reading


def read_embedding(path: Path) -> pd.DataFrame:
    """Read one vector a gene.

    Parameters
    ----------
    path
        Gene names stand in the index or the first column of text of .parquet, and of text split
        by commas, tabs or spaces, gzipped or not, as pandas, R, gene2vec and word2vec write it;
        in the obs_names of .h5ad (X is genes x dimensions); in the .txt of the same name beside
        .npy, one a line; in .npz, in one array beside one of vectors, or as the names of arrays,
        one a gene.

    Returns
    -------
    DataFrame (n_genes, n_dimensions) float64, names in the index as the file has them.

    Raises
    ------
    InputError
        If the file is missing, of another form, or a vector is not of finite numbers.
    """
    forms: dict[str, Callable[[Path], pd.DataFrame]]
    forms = {".npy": _npy, ".npz": _npz, ".parquet": pd.read_parquet}
    forms[".h5ad"] = lambda path: anndata.read_h5ad(path).to_df()
    with reading(path, "an embedding, one vector of numbers a gene"):
        table = _named(forms.get(path.suffix, _text)(path))
    table = table.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    wrong = table.index[~np.isfinite(table.to_numpy()).all(axis=1)]
    if len(wrong):
        raise InputError(
            f"{path}: {len(wrong):,} of {len(table):,} vectors have a value that is missing or no "
            f"finite number: {listed(wrong)}. Leave these genes out, or mend them."
        )
    return table


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Names in the index; where they stand in a column, that is the first column of text."""
    if is_numeric_dtype(table.index.dtype):
        text = [column for column in table if not is_numeric_dtype(table[column])]
        if not text:
            raise ValueError("no index and no column of gene names")
        table = table.set_index(text[0])
    if not table.size:
        raise ValueError(f"{table.shape[0]} genes of {table.shape[1]} dimensions")
    return table.set_axis(table.index.astype(str))


def _text(path: Path) -> pd.DataFrame:
    separator, fields = first_fields(path)
    values = fields[1:]
    counted = values == [str(number) for number in range(len(values))]  # pandas numbers columns
    titled = fields[0].lower() in TITLES or counted or not any(is_number(value) for value in values)
    return pd.read_csv(
        path,
        sep=separator,
        header=0 if titled else None,
        index_col=0 if fields[0] == "" else None,
        skiprows=int(len(fields) == 2 and all(field.isdigit() for field in fields)),  # word2vec
        keep_default_na=False,  # subtle: a gene may be called NA
    )


def _npy(path: Path) -> pd.DataFrame:
    vectors, names_file = np.load(path, allow_pickle=False), path.with_suffix(".txt")
    if not names_file.is_file():
        raise ValueError(f"the names of its rows are expected beside it in {names_file.name}")
    names = read_names(names_file)
    if len(names) != len(vectors):
        raise ValueError(f"{len(vectors):,} rows, but {len(names):,} names in {names_file.name}")
    return pd.DataFrame(vectors, index=names)


def _npz(path: Path) -> pd.DataFrame:
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    kinds = sorted((array.ndim, array.dtype.kind == "U", name) for name, array in arrays.items())
    if [kind[:2] for kind in kinds] == [(1, True), (2, False)]:
        names, vectors = (arrays[kind[2]] for kind in kinds)
        return pd.DataFrame(vectors, index=names)
    if {kind[:2] for kind in kinds} == {(1, False)}:
        return pd.DataFrame.from_dict(arrays, orient="index")
    found = listed([f"{name} {array.dtype} {array.shape}" for name, array in arrays.items()])
    raise ValueError(f"names (n,) and numbers (n, d), or numbers (d,) a gene; found {found}")
