"""Every reason for which the platform would reject a prediction or `Method description.md`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from perturbation.competition import (
    CELLS_PER_PERTURBATION,
    PREDICTED_PROPORTIONS_FILE,
    PREDICTION_FILE,
    PROGRAMS,
    SUBMITTED_PROPORTION_COLUMNS,
)
from perturbation.data.h5ad import open_cells
from perturbation.data.names import listed
from perturbation.errors import InputError, reason

METHOD_FILE = "Method description.md"
METHOD_HEADINGS = ("Method Description", "Rationale", "Data and Resources Used")
METHOD_BYTES = 4 * 1024 * 1024
METHOD_SENTENCES = 15
SUM_TOLERANCE = 0.001


def check_prediction(
    directory: Path, perturbations: Sequence[str], genes: Sequence[str]
) -> list[str]:
    """Say why the platform would reject a prediction directory.

    Parameters
    ----------
    directory
        The prediction directory after infer().
    perturbations, genes
        The perturbations asked for and the genes that are scored.

    Returns
    -------
    One sentence a reason; empty if the prediction is valid.
    """
    if not directory.is_dir():
        return [f"{directory} is not a directory: infer() wrote no prediction."]
    allowed = pd.Index([PREDICTION_FILE, PREDICTED_PROPORTIONS_FILE])
    found = pd.Index([path.name for path in directory.iterdir()])
    rules = {
        "infer() must write both files; it lacks": allowed.difference(found),
        f"only {listed(allowed)} may stand there; it holds": found.difference(allowed),
    }
    faults = _broken(directory, rules)
    if PREDICTION_FILE in found:
        faults += _cells_faults(directory / PREDICTION_FILE, pd.Index(perturbations), genes)
    if PREDICTED_PROPORTIONS_FILE in found:
        table = directory / PREDICTED_PROPORTIONS_FILE
        faults += _proportion_faults(table, pd.Index(perturbations))
    return faults


def _broken(where: object, rules: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each rule that something breaks."""
    return [f"{where}: {rule} {listed(what)}." for rule, what in rules.items() if len(what)]


def _cells_faults(file: Path, asked: pd.Index, genes: Sequence[str]) -> list[str]:
    try:
        cells = open_cells(file, any_values=True)
    except InputError as error:
        return [str(error)]
    n_rows = pd.Series(cells.labels).value_counts()
    other = n_rows[n_rows != CELLS_PER_PERTURBATION]
    rules = {
        "of the scored genes, var_names lacks": pd.Index(genes).difference(
            list(cells.genes), sort=False
        ),
        "obs may have the column gene alone; it has": set(cells.obs_columns) - {"gene"},
        "of the perturbations asked, obs['gene'] lacks": asked.difference(n_rows.index, sort=False),
        "obs['gene'] has, and nobody asked for,": n_rows.index.difference(asked),
        f"there must be {CELLS_PER_PERTURBATION} rows of each perturbation; there are": [
            f"{n:,} of {name}" for name, n in other.items()
        ],
    }
    return _broken(file, rules)


def _proportion_faults(file: Path, asked: pd.Index) -> list[str]:
    try:
        table = pd.read_csv(file)
    except ValueError as error:
        return [f"{file} cannot be read as CSV ({reason(error)})."]
    allowed = pd.Index(SUBMITTED_PROPORTION_COLUMNS)
    if set(table) != set(allowed):
        rule = f"it must have the columns {', '.join(allowed)} and no other; it has"
        return _broken(file, {rule: [", ".join(map(str, table))]})
    # subtle: read_csv takes a gene called NA for a missing value, and so does the platform
    names = pd.Index(table.pop("gene").astype(str))
    numbers = table.apply(pd.to_numeric, errors="coerce").set_axis(names)
    finite = np.isfinite(numbers).all(axis=1)
    sums = numbers[list(PROGRAMS)].sum(axis=1)
    rules = {
        "of the perturbations asked, it has no row for": asked.difference(names, sort=False),
        "it has a row that was not asked, or a second one, for": names[
            ~names.isin(asked) | names.duplicated()
        ],
        "there is a value that is no finite number for": names[~finite],
        "lipo, a part of adipo, is larger than it for": names[numbers["lipo"] > numbers["adipo"]],
        f"{' + '.join(PROGRAMS)} must be 1 (to {SUM_TOLERANCE}); it is": [
            f"{total:.4f} for {name}"
            for name, total in sums[finite & ((sums - 1).abs() > SUM_TOLERANCE)].items()
        ],
    }
    return _broken(file, rules)


def unusable_values(directory: Path) -> list[str]:
    """Say how many values in X the platform lets pass that the scores then suffer from."""
    file = directory / PREDICTION_FILE
    n = 0
    for *_, block in open_cells(file, any_values=True).blocks():
        n += int((~np.isfinite(block.data) | (block.data < 0)).sum())
    what = f"{n:,} values of X are NaN, infinite or negative; no cell has any"
    return [f"{file}: {what}."] if n else []


def check_method_description(directory: Path) -> list[str]:
    """Say why the platform would reject `Method description.md` at the top of a submission."""
    named = [f for f in directory.iterdir() if f.name.casefold() == METHOD_FILE.casefold()]
    read = [file for file in named if file.suffix == ".md"]
    if not read:
        return [
            f"`{METHOD_FILE}` is missing in {directory}; in resources/ it does not count, and the "
            "extension must be .md, in lower case."
        ]
    content = read[0].read_bytes()
    text = content.decode("ascii", "replace").replace("\r", "")
    lines = re.sub(r"<!--.+?-->", "", text).split("\n")
    pieces = [piece for line in lines for piece in re.split(r"[.!?;:]", line) if piece.strip()]
    count = {
        title: sum(bool(re.fullmatch(f"#+ *{title}", line, re.IGNORECASE)) for line in lines)
        for title in METHOD_HEADINGS
    }
    rules = {
        "4 MiB is the limit; it has": [len(content)] if len(content) > METHOD_BYTES else [],
        "only ASCII is allowed; other characters stand in line": [
            number for number, line in enumerate(text.split("\n"), 1) if not line.isascii()
        ],
        "exactly one heading is needed of each title, `# Title` with nothing behind it, not even a "
        "space; there are": [f"{n} of `{title}`" for title, n in count.items() if n != 1],
        f"at least {METHOD_SENTENCES} sentences are needed; it has": [len(pieces)]
        if len(pieces) < METHOD_SENTENCES
        else [],
    }
    return _broken(f"`{read[0].name}`", rules)
