"""The competition's data directory, opened and checked once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS, PROPORTIONS_FILE, TRAINING_FILE
from perturbation.data.h5ad import CellsFile, open_cells
from perturbation.data.names import listed
from perturbation.data.proportions import read_proportions
from perturbation.errors import InputError
from perturbation.files import as_path


@dataclass(frozen=True)
class Dataset(CellsFile):
    """The training cells on disk, and what is known about each of them.

    Attributes
    ----------
    path, genes, labels, obs, any_values
        See `CellsFile`; X holds log2(1 + counts per 100,000).
    program_flags
        (n_cells, 4) 0/1, columns pre_adipo, adipo, other, lipo.
    proportions
        (n_perturbations + 1, 4) share of cells in each program, index = perturbation, NC included.
    """

    program_flags: pd.DataFrame
    proportions: pd.DataFrame


def open_dataset(data_directory_path: str | Path) -> Dataset:
    """Open the training data and check all that can be checked without reading X.

    Parameters
    ----------
    data_directory_path
        Directory with obesity_challenge_1.h5ad and program_proportion.csv.

    Raises
    ------
    InputError
        If a file is missing, unreadable or not in the competition's layout.
    """
    path = as_path(data_directory_path, "data_directory_path") / TRAINING_FILE
    file = open_cells(path, PROGRAM_FLAGS)
    _check_labels(file)
    proportions = read_proportions(path.with_name(PROPORTIONS_FILE))
    if missing := sorted(set(file.labels) - set(proportions.index)):
        raise InputError(
            f"{path.with_name(PROPORTIONS_FILE)} has no row for {listed(missing)}, "
            f"whose cells are in {path.name}. Both must come from one download."
        )
    return Dataset(**vars(file), program_flags=_program_flags(file), proportions=proportions)


def _check_labels(file: CellsFile) -> None:
    """Controls and at least two knock-outs are there."""
    n_cells = pd.Series(file.labels).value_counts()
    if CONTROL_LABEL not in n_cells:
        found = listed([repr(name) for name in n_cells.index])
        raise InputError(
            f"{file.path} has no control cells: obs['gene'] never is '{CONTROL_LABEL}', the most "
            f"frequent are {found}. Rename the controls to '{CONTROL_LABEL}'."
        )
    if len(n_cells) < 3:
        raise InputError(
            f"{file.path} has cells of {len(n_cells) - 1} knock-outs; at least 2 are needed to "
            "learn what knock-outs have in common. Take the competition's whole file."
        )


def _program_flags(file: CellsFile) -> pd.DataFrame:
    flags = file.obs[list(PROGRAM_FLAGS)]
    for name, values in flags.items():
        for found in values[~values.isin([0, 1])][:1]:
            raise InputError(
                f"obs of {file.path} must hold 0 or 1 in {', '.join(PROGRAM_FLAGS)}; found "
                f"{f'the text {found!r}' if isinstance(found, str) else found} in {name}. "
                "Write them as whole numbers."
            )
    return flags.astype(np.int8)
