"""Lists of gene names, checked and looked up."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd

from perturbation.errors import InputError


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
    # HDF5 and CSV can hold text without control characters and halves of surrogates.
    if wrong := [n for n in names if not (isinstance(n, str) and n.strip() and n.isprintable())]:
        raise InputError(f"{source} must hold gene names as text, found {wrong[0]!r}.")
    repeated = pd.Index(names)[pd.Index(names).duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"{source} names {len(repeated)} genes twice: {listed(repeated)}. "
            "Each must stand there once."
        )
    return [str(name) for name in names]


def check_columns(needed: Sequence[str], found: Collection[str], source: str) -> None:
    """Raise InputError unless a table has the columns that are needed."""
    if missing := [name for name in needed if name not in found]:
        raise InputError(
            f"{source} has no column {listed(missing)}; found {listed(found, 20)}. "
            "Add it, or take the competition's file."
        )


def listed(names: Collection[object], most: int = 3) -> str:
    """Name the first few, and say how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(str(name) for name in list(names)[:most]) + more


def columns_of(
    genes: np.ndarray, wanted: Sequence[str], what: str, where: str, cure: str
) -> np.ndarray:
    """(len(wanted),) column of each wanted gene among `genes`.

    Parameters
    ----------
    genes
        Names of the columns.
    wanted
        Genes asked for.
    what, where, cure
        For the message: what is asked for, where it is sought, what to do.

    Raises
    ------
    InputError
        If some are not there.
    """
    columns = pd.Index(genes).get_indexer(pd.Index(wanted))
    if (columns < 0).any():
        missing = np.asarray(wanted)[columns < 0]
        raise InputError(
            f"{len(missing):,} of {len(wanted):,} {what} are not in {where}, "
            f"first: {', '.join(missing[:2])}. {cure}"
        )
    return columns
