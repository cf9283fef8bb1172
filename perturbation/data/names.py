"""Lists of gene names: read from a file, and checked."""

import difflib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from perturbation.errors import InputError, unreadable


def read_names(path: str | Path) -> list[str]:
    """Read gene names, one a line; blank lines, a byte-order mark and CRLF are harmless.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8, empty, or not one name a line, each once.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(unreadable(path, error, "UTF-8 text")) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if wrong := [line for line in lines if set(line) & set(" \t,;")]:
        raise InputError(f"{path} must hold one gene name a line, found {wrong[0][:40]!r}.")
    return check_names(lines, str(path))


def check_names(names: Sequence[str], source: str) -> list[str]:
    """Return `names` as a list of strings, none missing and none twice.

    Parameters
    ----------
    names
        Gene names.
    source
        Where they come from, for the message.

    Raises
    ------
    InputError
        If there is none, one is not printable text, or one stands twice.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InputError(f"{source} must be a list of gene names, found {names!r}.")
    names = list(names)
    if not names:
        raise InputError(f"{source} is empty; expected gene names, one a line.")
    if wrong := [name for name in names if not _is_name(name)]:
        raise InputError(f"{source} must hold gene names as text, found {wrong[0]!r}.")
    repeated = pd.Index(names)[pd.Index(names).duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"{source} names {len(repeated)} genes twice: {listed(repeated)}. "
            "Each must stand there once."
        )
    return [str(name) for name in names]


def _is_name(name: object) -> bool:
    """Whether HDF5 and CSV can hold it: text, no control character, no half of a surrogate."""
    return isinstance(name, str) and bool(name.strip()) and name.isprintable()


def listed(names: Collection[object], most: int = 3) -> str:
    """Name the first few, and say how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(str(name) for name in list(names)[:most]) + more


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean A, B?" with names like this one, or nothing."""
    by_capitals = {str(gene).upper(): str(gene) for gene in known}
    near = difflib.get_close_matches(name.upper(), by_capitals, cutoff=0.75)
    return f" Did you mean {listed([by_capitals[n] for n in near])}?" if near else ""
