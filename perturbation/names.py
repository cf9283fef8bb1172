"""Lists of gene names: read from a file, and checked."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from perturbation.errors import InputError


def read_names(path: str | Path) -> list[str]:
    """Read gene names, one a line; blank lines, a byte-order mark and CRLF are harmless.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8, empty, or names a gene twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Run `crunch download`.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as UTF-8 text ({error}). Download it again."
        ) from error
    return check_names([name.strip() for name in text.splitlines() if name.strip()], str(path))


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
        If there is none, one is not a non-empty string, or one stands twice.
    """
    if names is None or isinstance(names, str):
        raise InputError(f"{source} must be a list of gene names, found {names!r}.")
    names = list(names)
    if not names:
        raise InputError(f"{source} is empty; expected gene names, one a line.")
    if wrong := [name for name in names if not isinstance(name, str) or not name.strip()]:
        raise InputError(f"{source} must hold gene names as text, found {wrong[0]!r}.")
    repeated = pd.Index(names)[pd.Index(names).duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"{source} names {len(repeated)} genes twice: {listed(repeated)}. "
            "Each must stand there once."
        )
    return [str(name) for name in names]


def listed(names: Sequence[str], most: int = 3) -> str:
    """Name the first few, and say how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(str(name) for name in list(names)[:most]) + more
