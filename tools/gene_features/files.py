"""Reads gene sets, networks, embeddings and alias tables as other projects publish them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.errors import InputError

LEAST_STRING_SCORE = 400
"""STRING's own threshold of "medium confidence", on its scale of 0 to 1000. Weaker links go."""

_TITLES = {"gene", "gene1", "gene_a", "symbol", "gene_symbol", "alias", "source", "from"}
"""The first line of a table is its titles if it starts with one of these."""

_LINK_COLUMNS = {"protein1": "protein2", "sa": "sb"}
"""Titles that STRING's files, and tables of them with symbols, give to the two ends of a link."""

_ROWS_PER_CHUNK = 1_000_000


@dataclass(frozen=True)
class GeneSets:
    """Pairs of a gene and a set; names of the sets where the file has them; notes of the file."""

    genes: list[str]
    sets: list[str]
    names: dict[str, str]
    notes: dict[str, str]


def read_gene_sets(path: Path) -> GeneSets:
    """Read a GMT file (.gmt, .gmt.gz), else a table of gene and set, split by tabs.

    Lines that start with # are comments; ``# version: ...`` and ``# licence: ...`` become notes.
    Of a table with more than two columns the first two count.
    """
    comments, rows = _split_comments(path)
    if ".gmt" in path.suffixes:
        sets = [(gene, row[0]) for row in rows for gene in row[2:] if gene]
        names = {row[0]: row[1] for row in rows if len(row) > 1}
    else:
        sets = [(row[0], row[1]) for row in _without_titles(rows, path) if row[0] and row[1]]
        names = {}
    if not sets:
        raise InputError(
            f"{path} holds no gene sets. Expected GMT (set, name, genes; the file name ends in "
            ".gmt or .gmt.gz) or two columns, gene and set, split by tabs."
        )
    genes, terms = zip(*sets, strict=True)
    return GeneSets(list(genes), list(terms), names, comments)


def read_network(path: Path, protein_names: dict[str, str]) -> pd.DataFrame:
    """Read links as a table with the columns a, b (str) and weight (float64).

    Understood are two or three columns (gene, gene, weight; no weight counts as 1) with or without
    titles, and tables whose columns are named as STRING's: protein1 and protein2, or sa and sb,
    with combined_score, of which those of `LEAST_STRING_SCORE` and more are kept.

    Parameters
    ----------
    path
        Split by tabs, or by spaces.
    protein_names
        From STRING's protein identifiers to symbols (`read_protein_names`); empty where the
        file names genes. Links of proteins that are not in it are left out.
    """
    try:
        chunks = [_links(chunk, path, protein_names) for chunk in _chunks(path)]
    except (ValueError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a table of links: {error}.") from error
    links = pd.concat(chunks, ignore_index=True)
    if links.empty:
        hint = "" if protein_names else " STRING's protein.links also needs --string-info."
        raise InputError(f"{path} holds no links between two genes.{hint}")
    return links


def read_protein_names(path: Path) -> dict[str, str]:
    """Symbol of each protein, from STRING's protein.info file."""
    rows = list(_rows(path))
    if not rows or rows[0][0].lstrip("#") not in ("string_protein_id", "protein_external_id"):
        raise InputError(
            f"{path} is not STRING's protein.info file: expected a first line that starts with "
            f"#string_protein_id, found {rows[0][0] if rows else 'nothing'!r}."
        )
    return {row[0]: row[1] for row in rows[1:] if len(row) > 1}


def read_aliases(path: Path) -> list[tuple[str, str]]:
    """Pairs of (alias, current symbol), a table of two columns split by tabs."""
    _, rows = _split_comments(path)
    return [(row[0], row[1]) for row in _without_titles(rows, path)]


def read_embedding(path: Path) -> tuple[list[str], np.ndarray]:
    """Read one vector a gene: genes and (n_genes, n_dimensions) float64.

    Understood are .npz (one array of names, one of vectors), .parquet (names in the index or in
    the only column of text), and text: a name and its numbers on every line, split by spaces
    or tabs, as gene2vec's; a first line of two numbers, as word2vec's, is passed over.
    """
    read = {".npz": _embedding_npz, ".parquet": _embedding_parquet}
    if not path.is_file():
        raise InputError(f"{path} does not exist.")
    genes, vectors = read.get(path.suffix, _embedding_text)(path)
    if len(genes) == 0 or vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise InputError(
            f"{path}: expected one vector of finite numbers a gene, found {len(genes):,} genes and "
            f"an array of shape {vectors.shape}, NaN or infinity in it: "
            f"{not np.isfinite(vectors).all()}."
        )
    return [str(gene) for gene in genes], vectors.astype(np.float64)


def _embedding_npz(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in file.files]
    except (ValueError, OSError, EOFError, zlib.error, TypeError) as error:
        raise InputError(f"{path} cannot be read as npz: {error}.") from error
    names = [array for array in arrays if array.ndim == 1 and array.dtype.kind == "U"]
    numbers = [array for array in arrays if array.ndim == 2 and array.dtype.kind in "fiu"]
    if len(names) != 1 or len(numbers) != 1 or len(names[0]) != len(numbers[0]):
        raise InputError(
            f"{path}: expected one array of gene names (n,) and one of numbers (n, d), found "
            f"{', '.join(f'{array.dtype} {array.shape}' for array in arrays)}."
        )
    return names[0].tolist(), numbers[0]


def _embedding_parquet(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        table = pd.read_parquet(path)
    except ImportError as error:
        raise InputError(f"Reading {path} needs pyarrow: `pip install pyarrow`.") from error
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read as parquet: {error}.") from error
    text = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if len(text) == 1:
        table = table.set_index(text[0])
    elif text or table.index.dtype.kind in "iuf":
        raise InputError(
            f"{path}: expected gene names in the index or in the only column of text, found "
            f"{len(text)} columns of text and an index of {table.index.dtype}."
        )
    return table.index.tolist(), table.to_numpy(np.float64)


def _embedding_text(path: Path) -> tuple[list[str], np.ndarray]:
    rows = [line.split() for line in _lines(path)]
    if rows and len(rows[0]) == 2 and all(number.isdigit() for number in rows[0]):
        rows = rows[1:]
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or lengths == {1}:
        raise InputError(
            f"{path}: expected a gene and the same number of values on every line, "
            f"found lines of {sorted(lengths)[:5]} fields."
        )
    try:
        return [row[0] for row in rows], np.array([row[1:] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path} has a value that is not a number: {error}.") from error


def _chunks(path: Path) -> Iterator[pd.DataFrame]:
    """Parts of a table of links, titles in place where it has them."""
    first = next(_lines(path), None)
    if first is None:
        raise InputError(f"{path} is empty.")
    fields = first.split("\t") if "\t" in first else first.split()
    titled = fields[0].lower() in _TITLES or (len(fields) > 2 and not _is_number(fields[2]))
    return pd.read_csv(
        path,
        sep="\t" if "\t" in first else r"\s+",
        header=0 if titled else None,
        chunksize=_ROWS_PER_CHUNK,
        keep_default_na=False,  # subtle: a gene may be called NA
    )


def _links(chunk: pd.DataFrame, path: Path, protein_names: dict[str, str]) -> pd.DataFrame:
    """Columns a, b, weight of one part of a table of links."""
    a = next((name for name in _LINK_COLUMNS if name in chunk), chunk.columns[0])
    if len(chunk.columns) < 2:
        raise InputError(f"{path} has one column, expected gene, gene and a weight.")
    b = _LINK_COLUMNS.get(a, chunk.columns[1])
    links = pd.DataFrame({"a": chunk[a].astype(str), "b": chunk[b].astype(str), "weight": 1.0})
    if "combined_score" in chunk:
        links["weight"] = chunk["combined_score"].astype(float)
        links = links[links["weight"] >= LEAST_STRING_SCORE]
    elif len(chunk.columns) > 2:
        links["weight"] = chunk[chunk.columns[2]].astype(float)
    if protein_names:
        links["a"], links["b"] = links["a"].map(protein_names), links["b"].map(protein_names)
        links = links.dropna()
    return links[(links["a"] != links["b"]) & (links["weight"] > 0)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _split_comments(path: Path) -> tuple[dict[str, str], list[list[str]]]:
    """Split notes of the form ``# key: value`` from the fields of all other lines."""
    notes, rows = {}, []
    for row in _rows(path):
        if row[0].startswith("#"):
            key, _, value = row[0].lstrip("# ").partition(": ")
            notes[key] = value
        else:
            rows.append(row)
    return notes, rows


def _without_titles(rows: list[list[str]], path: Path) -> list[list[str]]:
    """All rows of a table of two columns or more, without the line of titles if it has one."""
    for number, row in enumerate(rows, start=1):
        if len(row) < 2:
            raise InputError(
                f"{path}: expected two columns split by a tab, found one in line {number} "
                f"after the comments: {row[0][:60]!r}."
            )
    has_titles = bool(rows) and rows[0][0].lower() in _TITLES
    return rows[1:] if has_titles else rows


def _rows(path: Path) -> Iterator[list[str]]:
    return (line.split("\t") for line in _lines(path))


def _lines(path: Path) -> Iterator[str]:
    """Lines that are not blank, of plain or gzipped text."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    yield line.rstrip("\r\n")
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as text: {error}. Download it again.") from error
