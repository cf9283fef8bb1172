"""Tables of program proportions: one row a perturbation."""

from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import PROGRAM_FLAGS, PROGRAMS
from perturbation.data.names import check_names, listed
from perturbation.errors import InputError, reason, unreadable

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
    in_range = (table.ge(0) & table.le(1)).all(axis=1)
    adds_up = (table[list(PROGRAMS)].sum(axis=1) - 1).abs() <= ROUNDED
    is_part = table["lipo"] <= table["adipo"] + ROUNDED
    for rows, rule in (
        (in_range, "must lie between 0 and 1"),
        (adds_up, f"must have {' + '.join(PROGRAMS)} = 1"),
        (is_part, "must have lipo <= adipo, as lipo is a part of adipo"),
    ):
        if not rows.all():
            gene = rows.index[~rows][0]
            found = ", ".join(f"{name} {value:g}" for name, value in table.loc[gene].items())
            raise InputError(
                f"{path}: proportions of {gene} {rule}; found {found}. "
                "Mend it, or take the competition's file."
            )
    return table


def read_written_proportions(path: Path) -> pd.DataFrame:
    """Read a table of numbers for each perturbation; a prediction may hold any, to be judged."""
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(unreadable(path, error, "CSV")) from error
    if missing := [name for name in ("gene", *PROGRAM_FLAGS) if name not in table]:
        raise InputError(
            f"{path} has no column {listed(missing)}; found {listed(table.columns, 20)}. "
            "Add it, or take the competition's file."
        )
    check_names(table["gene"].tolist(), f"column gene of {path}")
    try:
        return table.set_index("gene")[list(PROGRAM_FLAGS)].astype(np.float64)
    except ValueError as error:
        raise InputError(
            f"{path} holds something that is not a number ({reason(error)}). "
            "Mend it, or take the competition's file."
        ) from error
