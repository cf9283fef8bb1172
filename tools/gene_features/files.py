"""Reads gene sets, networks and alias tables as other projects publish them."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from perturbation.errors import InputError, reason

LEAST_STRING_SCORE = 400
"""STRING's own threshold of "medium confidence", on its scale of 0 to 1000. Weaker links go."""

TITLES = ["", "alias", "from", "gene", "gene1", "gene_a", "gene_name", "gene_symbol", "genes"]
TITLES += ["index", "name", "source", "symbol"]
"""The first line of a table is its titles if it starts with one of these."""

_LINK_COLUMNS = {"protein1": "protein2", "sa": "sb"}
"""Titles that STRING's files, and tables of them with symbols, give to the two ends of a link."""


@contextmanager
def reading(path: Path, form: str) -> Iterator[None]:
    """Turn what a library says of a file in the block into a sentence for the user."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except (ValueError, TypeError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as {form}: {reason(error)}.") from error


def read_gene_sets(path: Path) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Read a GMT file (.gmt, .gmt.gz), else a table of gene and set, split by tabs.

    Lines that start with # are comments; ``# version: ...`` and ``# licence: ...`` become notes.
    Of a table with more than two columns the first two count.

    Returns
    -------
    Pairs in the columns gene and set; names of the sets where the file has them; notes.
    """
    rows, notes = _rows(path)
    if ".gmt" in path.suffixes:
        pairs = [(gene, row[0]) for row in rows for gene in row[2:] if gene]
        names = {row[0]: row[1] for row in rows if len(row) > 1}
    else:
        pairs, names = [pair for pair in _pairs(rows, path) if all(pair)], {}
    if not pairs:
        raise InputError(
            f"{path} holds no gene sets. Expected GMT (set, name, genes; the file name ends in "
            ".gmt or .gmt.gz) or two columns, gene and set, split by tabs."
        )
    return pd.DataFrame(pairs, columns=["gene", "set"]), names, notes


def read_aliases(path: Path) -> pd.DataFrame:
    """Read a table split by tabs into the columns alias and symbol (the current one)."""
    return pd.DataFrame(_pairs(_rows(path)[0], path), columns=["alias", "symbol"])


def read_network(path: Path, protein_names: dict[str, str]) -> pd.DataFrame:
    """Read links as a table with the columns a, b (str) and weight (float64).

    Understood are two or three columns (gene, gene, weight; no weight counts as 1) with or without
    titles, and tables whose columns are named as STRING's: protein1 and protein2, or sa and sb,
    with combined_score, of which those of `LEAST_STRING_SCORE` and more are kept.

    Parameters
    ----------
    path
        Split by tabs, commas or spaces.
    protein_names
        From STRING's protein identifiers to symbols (`read_protein_names`); empty where the
        file names genes. Links of proteins that are not in it are left out.
    """
    with reading(path, "a table of links"):
        separator, fields = first_fields(path)
        titled = fields[0].lower() in TITLES or (len(fields) > 2 and not is_number(fields[2]))
        chunks = pd.read_csv(
            path,
            sep=separator,
            header=0 if titled else None,
            chunksize=1_000_000,  # subtle: STRING has 13 million links, most too weak
            keep_default_na=False,  # subtle: a gene may be called NA
        )
        links = pd.concat([_links(chunk, protein_names) for chunk in chunks], ignore_index=True)
    if links.empty:
        hint = "" if protein_names else " STRING's protein.links also needs --string-info."
        raise InputError(f"{path} holds no links between two genes.{hint}")
    return links


def read_protein_names(path: Path) -> dict[str, str]:
    """Symbol of each protein, from STRING's protein.info file."""
    with reading(path, "STRING's protein.info"):
        table = pd.read_csv(path, sep="\t", usecols=[0, 1], dtype=str, keep_default_na=False)
        if table.columns[0].lstrip("#") not in ("string_protein_id", "protein_external_id"):
            raise ValueError(f"{table.columns[0]!r} in place of #string_protein_id comes first")
    return dict(table.itertuples(index=False, name=None))


def first_fields(path: Path) -> tuple[str, list[str]]:
    """Return what splits the fields of a text table, and the fields of its first line."""
    line = str(pd.read_csv(path, sep="\0", nrows=1, header=None, dtype=str, quoting=3).iat[0, 0])
    if "," in line:
        return ",", line.split(",")
    # subtle: gene2vec sets one tab after the gene, and blanks between its numbers
    if line.count("\t") > 1 or " " not in line:
        return "\t", line.split("\t")
    return r"\s+", line.split()


def is_number(text: str) -> bool:
    """Whether a text is a number; NaN is none."""
    return bool(pd.notna(pd.to_numeric(text, errors="coerce")))


def _links(chunk: pd.DataFrame, protein_names: dict[str, str]) -> pd.DataFrame:
    """Columns a, b, weight of one part of a table of links."""
    if len(chunk.columns) < 2:
        raise ValueError("it has one column, expected gene, gene and a weight")
    a = next((name for name in _LINK_COLUMNS if name in chunk), chunk.columns[0])
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


def _rows(path: Path) -> tuple[list[list[str]], dict[str, str]]:
    """Split the fields of all lines from notes of the form ``# key: value``."""
    opener = gzip.open if path.suffix == ".gz" else open
    with reading(path, "text"), opener(path, "rt", encoding="utf-8") as file:
        lines = [line.rstrip("\r\n") for line in file if line.strip()]
    notes = [line.lstrip("# ").partition(": ") for line in lines if line.startswith("#")]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return rows, {key: value for key, _, value in notes}


def _pairs(rows: list[list[str]], path: Path) -> list[tuple[str, str]]:
    """First two fields of every row, without the line of titles if there is one."""
    if short := [row[0] for row in rows if len(row) < 2]:
        raise InputError(f"{path}: expected two columns split by a tab, found {short[0][:60]!r}.")
    titled = bool(rows) and rows[0][0].lower() in TITLES
    return [(row[0], row[1]) for row in rows[titled:]]
