"""Reads gene sets, networks, embeddings and alias tables as other projects publish them."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from perturbation.data.names import listed
from perturbation.errors import InputError, reading

LEAST_STRING_SCORE = 400
"""STRING's own threshold of "medium confidence", on its scale of 0 to 1000. Weaker links go."""

TITLES = ["", "alias", "from", "gene", "gene1", "gene_a", "gene_name", "gene_symbol", "genes"]
TITLES += ["index", "name", "source", "symbol"]
"""The first line of a table is its titles if it starts with one of these."""

CURE = "Mend it, or give another file."
_LINK_COLUMNS = [("protein1", "protein2"), ("sa", "sb")]
"""Titles that STRING's files, and tables of them with symbols, give to the two ends of a link."""


def read_table(path: Path) -> pd.DataFrame:
    """Read a text table, gzipped or not, split by tabs, commas or blanks; every value as text.

    The first line is titles if it starts with one of `TITLES`, if it numbers its columns as pandas
    does, or if it has three fields or more and no number behind the first.
    """
    line = str(_lines(path, nrows=1)[0])
    _, tab, rest = line.partition("\t")
    # subtle: gene2vec sets one tab after the gene, and blanks between its numbers
    is_gene2vec = " " in rest and _are_numbers(rest.split()).all()
    separator = r"\s+" if is_gene2vec else "\t" if tab else "," if "," in line else r"\s+"
    fields = re.split(separator, line.rstrip(" "))
    counted = fields[1:] == [str(number) for number in range(len(fields) - 1)]
    titled = counted or (len(fields) > 2 and not _are_numbers(fields[1:]).any())
    return pd.read_csv(
        path,
        sep=separator,
        header=0 if titled or fields[0].lower() in TITLES else None,
        skiprows=int(len(fields) == 2 and all(field.isdigit() for field in fields)),  # word2vec
        dtype="category",  # subtle: STRING has 13 million links of 20,000 proteins
        keep_default_na=False,  # subtle: a gene may be called NA
    )


def _lines(path: Path, nrows: int | None = None) -> pd.Series:
    return pd.read_csv(
        path, sep="\0", nrows=nrows, header=None, dtype=str, quoting=3, keep_default_na=False
    )[0]


def _are_numbers(fields: Sequence[str]) -> np.ndarray:
    return pd.to_numeric(pd.Series(fields), errors="coerce").notna().to_numpy()


def read_pairs(path: Path, names: list[str]) -> pd.DataFrame:
    """Read the first two columns of a table as text, without lines where one is empty."""
    with reading(path, f"two columns, {' and '.join(names)}", cure=CURE):
        pairs = read_table(path).iloc[:, :2].set_axis(names, axis=1).astype(object)
    return pairs[(pairs != "").all(axis=1)]


def read_gene_sets(path: Path) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Read a GMT file (.gmt, .gmt.gz), else a table of gene and set.

    Lines of GMT that start with # are comments; ``# version: ...`` and ``# licence: ...`` become
    notes.

    Returns
    -------
    Pairs in the columns gene and set; names of the sets where the file has them; notes.
    """
    if ".gmt" not in path.suffixes:
        return read_pairs(path, ["gene", "set"]), {}, {}
    with reading(path, "gene sets", cure=CURE):
        lines = _lines(path)
    notes = lines.str.extract("^# *(version|licence): (.*)").dropna()
    sets = lines[~lines.str.startswith("#")].str.split("\t")
    pairs = pd.DataFrame({"gene": sets.str[2:], "set": sets.str[0]}).explode("gene")
    names = dict(zip(sets.str[0], sets.str[1], strict=True))
    return pairs[pairs["gene"].str.len() > 0], names, dict(notes.to_numpy())


def read_network(path: Path, string_info: Path | None) -> pd.DataFrame:
    """Read links as a table with the columns a, b (str) and weight (float64).

    Understood are two or three columns (gene, gene, weight; no weight counts as 1) with or without
    titles, and tables whose columns are named as STRING's: protein1 and protein2, or sa and sb,
    with combined_score, of which those of `LEAST_STRING_SCORE` and more are kept.

    Parameters
    ----------
    path
        Split by tabs, commas or spaces.
    string_info
        STRING's protein.info file, which gives its proteins symbols; None where `path` names genes.
        Links of proteins that are not in it are left out.
    """
    with reading(path, "a table of links", cure=CURE):
        table = read_table(path)
        named = [ends for ends in _LINK_COLUMNS if ends[0] in table]
        a, b = named[0] if named else table.columns[:2]
        links = pd.DataFrame({"a": table[a].astype(str), "b": table[b].astype(str), "weight": 1.0})
        if "combined_score" in table:
            links["weight"] = table["combined_score"].astype(float)
            links = links[links["weight"] >= LEAST_STRING_SCORE]
        elif len(table.columns) > 2:
            links["weight"] = table.iloc[:, 2].astype(float)
    if string_info:
        symbols = dict(read_pairs(string_info, ["protein", "symbol"]).to_numpy())
        links = links.assign(a=links["a"].map(symbols), b=links["b"].map(symbols)).dropna()
    return links


def read_embedding(path: Path) -> pd.DataFrame:
    """Read one vector a gene.

    Parameters
    ----------
    path
        Gene names stand in the index or the first column of text of .parquet, and of text as
        `read_table` reads it (pandas, gene2vec and word2vec write such); in the obs_names of .h5ad
        (X is genes x dimensions); in the .txt of the same name beside .npy, one a line; in .npz, in
        one array beside one of vectors, or as the names of arrays, one a gene.

    Returns
    -------
    DataFrame (n_genes, n_dimensions) float64, names in the index as the file has them.

    Raises
    ------
    InputError
        If the file is missing, of another form, or a vector is not of finite numbers.
    """
    with reading(path, "an embedding, one vector of numbers a gene", cure=CURE):
        table = _named(_FORMS.get(path.suffix, read_table)(path))
    wrong = table.index[~np.isfinite(table.to_numpy()).all(axis=1)]
    if len(wrong):
        raise InputError(
            f"{path}: {len(wrong):,} of {len(table):,} vectors have a value that is missing or no "
            f"finite number: {listed(wrong)}. Leave these genes out, or mend them."
        )
    return table


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Names in the index; where they stand in a column, that is the first that is not numbers."""
    numbers = table.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    if is_numeric_dtype(table.index.dtype):
        text = numbers.columns[numbers.isna().any()]
        if not len(text):
            raise ValueError("no index and no column of gene names")
        # subtle: pandas writes numbers of rows under an empty title
        others = numbers.drop(columns=[text[0], "Unnamed: 0"], errors="ignore")
        numbers = others.set_axis(table[text[0]])
    if not numbers.size:
        raise ValueError(f"{numbers.shape[0]} genes of {numbers.shape[1]} dimensions")
    return numbers.set_axis(numbers.index.astype(str))


def _npy(path: Path) -> pd.DataFrame:
    vectors, beside = np.load(path, allow_pickle=False), path.with_suffix(".txt")
    with reading(beside, "names", cure=CURE):
        names = beside.read_text("utf-8").split()
    return pd.DataFrame(vectors, names)


def _npz(path: Path) -> pd.DataFrame:
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    texts = [name for name, array in arrays.items() if array.dtype.kind == "U"]
    if len(texts) == 1 and len(arrays) == 2:
        names = arrays.pop(texts[0])
        return pd.DataFrame(next(iter(arrays.values())), names)
    return pd.DataFrame.from_dict(arrays, orient="index")


_FORMS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".h5ad": lambda path: anndata.read_h5ad(path).to_df(),
    ".npy": _npy,
    ".npz": _npz,
    ".parquet": pd.read_parquet,
}
