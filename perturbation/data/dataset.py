"""The competition's data directory, opened and checked once, and read in blocks of cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from perturbation.competition import (
    CONTROL_LABEL,
    PROGRAM_FLAGS,
    PROGRAMS,
    PROPORTIONS_FILE,
    TRAINING_FILE,
)
from perturbation.data.matrix import Sparse, check_matrix, read_blocks
from perturbation.data.names import check_names, listed
from perturbation.errors import InputError, reason
from perturbation.files import as_path

ROUNDED = 0.02
"""How far proportions may be off by rounding in the table."""


@dataclass(frozen=True)
class Dataset:
    """The training cells on disk, and what is known about each of them.

    Attributes
    ----------
    path
        The h5ad file; its X holds log2(1 + counts per 100,000), CSR, CSC or dense.
    genes
        (n_genes,) names of the columns of X.
    labels
        (n_cells,) knocked-out gene of every cell, "NC" for controls.
    program_flags
        (n_cells, 4) 0/1, columns pre_adipo, adipo, other, lipo.
    proportions
        (n_perturbations + 1, 4) share of cells in each program, index = perturbation, NC included.
    """

    path: Path
    genes: np.ndarray
    labels: np.ndarray
    program_flags: pd.DataFrame
    proportions: pd.DataFrame

    def blocks(self, cells_per_block: int) -> Iterator[tuple[slice, slice, Sparse]]:
        """Read X once, from first to last; see `matrix.read_blocks`."""
        return read_blocks(self.path, cells_per_block)


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
    if not path.is_file():
        raise InputError(
            f"{path} is missing. Run `crunch download`, or pass the directory that holds it."
        )
    try:
        with h5py.File(path) as file:
            obs, genes = _annotations(file, path)
            check_matrix(file, path, (len(obs), len(genes)))
    except (OSError, KeyError, RuntimeError) as error:  # what h5py raises for a damaged file
        raise InputError(
            f"{path} cannot be read as HDF5 ({reason(error)}). It may be truncated: "
            "download it again."
        ) from error
    labels = _labels(obs, path)
    proportions = _read_proportions(path.with_name(PROPORTIONS_FILE))
    if missing := sorted(set(labels) - set(proportions.index)):
        raise InputError(
            f"{path.with_name(PROPORTIONS_FILE)} has no row for {listed(missing)}, "
            f"whose cells are in {path.name}. Both must come from one download."
        )
    return Dataset(
        path=path,
        genes=genes,
        labels=labels,
        program_flags=_program_flags(obs, path),
        proportions=proportions,
    )


def _annotations(file: h5py.File, path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return obs, and the names of the genes."""
    if missing := [name for name in ("X", "obs", "var") if name not in file]:
        raise InputError(
            f"{path} has no {missing[0]}; expected an h5ad file as anndata writes it. "
            "Download it again."
        )
    try:
        obs, var = ad.io.read_elem(file["obs"]), ad.io.read_elem(file["var"])
    except MemoryError:
        raise
    except Exception as error:  # anndata raises many kinds
        raise InputError(
            f"obs or var of {path} cannot be read ({reason(error)}). Download it again."
        ) from error
    if not (isinstance(obs, pd.DataFrame) and isinstance(var, pd.DataFrame)):
        raise InputError(f"obs or var of {path} is not a table. Download it again.")
    if not len(obs) or not len(var):
        raise InputError(f"{path} has no {'genes' if len(obs) else 'cells'}. Download it again.")
    return obs, _checked_genes(var.index.astype(str), path)


def _checked_genes(names: pd.Index, path: Path) -> np.ndarray:
    if not names.str.strip().all():
        raise InputError(f"var of {path} has a gene without a name. Download it again.")
    if not names.is_unique:
        repeated = names[names.duplicated()].unique()
        raise InputError(
            f"var of {path} names {len(repeated)} genes twice: {listed(repeated)}. "
            "Make the names unique, as anndata's var_names_make_unique does."
        )
    return names.to_numpy(dtype=str)


def _labels(obs: pd.DataFrame, path: Path) -> np.ndarray:
    if missing := [name for name in ("gene", *PROGRAM_FLAGS) if name not in obs]:
        raise InputError(
            f"obs of {path} has no column {listed(missing)}; found {listed(list(obs), 20)}. "
            "Download it again."
        )
    names = obs["gene"].astype(str)
    empty = obs["gene"].isna().to_numpy() | (names.str.strip() == "").to_numpy()
    if empty.any():
        raise InputError(
            f"obs['gene'] of {path} is empty for {empty.sum():,} cells; "
            f"expected a knocked-out gene or '{CONTROL_LABEL}' for each. "
            "Name them, or leave those cells out."
        )
    n_cells = names.value_counts()
    if CONTROL_LABEL not in n_cells:
        found = listed([repr(name) for name in n_cells.index])
        raise InputError(
            f"{path} has no control cells: obs['gene'] never is '{CONTROL_LABEL}', the most "
            f"frequent are {found}. Rename the controls to '{CONTROL_LABEL}'."
        )
    if len(n_cells) < 3:
        raise InputError(
            f"{path} has cells of {len(n_cells) - 1} knock-outs; at least 2 are needed to learn "
            "what knock-outs have in common. Download it again."
        )
    return names.to_numpy(dtype=str)


def _program_flags(obs: pd.DataFrame, path: Path) -> pd.DataFrame:
    flags = obs[list(PROGRAM_FLAGS)]
    for name in PROGRAM_FLAGS:
        wrong = flags.loc[~flags[name].isin([0, 1]), name]
        if len(wrong):
            raise InputError(
                f"obs of {path} must hold 0 or 1 in {', '.join(PROGRAM_FLAGS)}; found "
                f"{wrong.iloc[0]} in {name}. Download it again."
            )
    return flags.astype(np.int8).reset_index(drop=True)


def _read_proportions(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Run `crunch download`.") from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as CSV ({reason(error)}). Download it again."
        ) from error
    if missing := [name for name in ("gene", *PROGRAM_FLAGS) if name not in table]:
        raise InputError(
            f"{path} has no column {listed(missing)}; found {listed(list(table), 20)}. "
            "Download it again."
        )
    check_names(table["gene"].tolist(), f"column gene of {path}")
    try:
        table = table.set_index("gene")[list(PROGRAM_FLAGS)].astype(np.float64)
    except ValueError as error:
        raise InputError(
            f"{path} holds something that is not a number ({reason(error)}). Download it again."
        ) from error
    _check_proportions(table, path)
    return table


def _check_proportions(table: pd.DataFrame, path: Path) -> None:
    """Shares lie between 0 and 1, the programs add up to 1, and lipo is a part of adipo."""
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
                f"{path}: proportions of {gene} {rule}; found {found}. Download it again."
            )
