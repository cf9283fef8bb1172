"""Tables of program proportions: one row a perturbation."""

from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import PROGRAM_FLAGS, PROGRAMS
from perturbation.data.names import check_columns, check_names
from perturbation.errors import InputError, reading, reason

ROUNDED = 0.02
"""How far proportions may be off by rounding in the table."""


def read_proportions(path: Path) -> pd.DataFrame:
    """Read a table of the competition's, and check that it can be one.

    Returns
    -------
    DataFrame (n_perturbations, 4) float64, index perturbation, columns `PROGRAM_FLAGS`.

    Raises
    ------
    InputError
        If the file is missing, unreadable, or holds something other than proportions.
    """
    table = read_written_proportions(path)
    check_shares(table, str(path), ROUNDED, ROUNDED, " Mend it, or take the competition's file.")
    return table


def check_shares(
    table: pd.DataFrame, source: str, sum_off: float, lipo_off: float, cure: str = ""
) -> None:
    """Raise InputError unless all are shares, the programs add up, and lipo is a part of adipo.

    Parameters
    ----------
    table
        (n_perturbations, 4), columns `PROGRAM_FLAGS`.
    source, cure
        For the message: where they come from, and what to do.
    sum_off, lipo_off
        How far the sum may be off 1, and lipo above adipo.
    """
    programs = list(PROGRAMS)
    for holds, rule in (
        ((table.ge(0) & table.le(1)).all(axis=1), "lie between 0 and 1"),
        ((table[programs].sum(axis=1) - 1).abs() <= sum_off, f"have {' + '.join(PROGRAMS)} = 1"),
        (table["lipo"] <= table["adipo"] + lipo_off, "have lipo <= adipo, as lipo is a part of it"),
    ):
        if not holds.all():
            gene = holds.index[~holds][0]
            found = ", ".join(f"{name} {value:g}" for name, value in table.loc[gene].items())
            raise InputError(f"{source}: proportions of {gene} must {rule}; found {found}.{cure}")


def read_written_proportions(path: Path) -> pd.DataFrame:
    """Read a table of numbers for each perturbation; a prediction may hold any, to be judged."""
    with reading(path, "CSV"):
        table = pd.read_csv(path, encoding="utf-8-sig")
    check_columns(["gene", *PROGRAM_FLAGS], table.columns, str(path))
    check_names(table["gene"].tolist(), f"column gene of {path}")
    try:
        return table.set_index("gene")[list(PROGRAM_FLAGS)].astype(np.float64)
    except ValueError as error:
        raise InputError(
            f"{path} holds something that is not a number ({reason(error)}). "
            "Mend it, or take the competition's file."
        ) from error
