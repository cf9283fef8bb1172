"""Every reason for which the platform would reject a prediction or `Method description.md`."""

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
from perturbation.model.parts import SUM_TOLERANCE

METHOD_FILE = "Method description.md"
METHOD_HEADINGS = ("Method Description", "Rationale", "Data and Resources Used")
METHOD_BYTES = 4 * 1024 * 1024
METHOD_SENTENCES = 15


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
    found = pd.Index([path.name for path in directory.iterdir()])
    faults = _differences(directory, found, [PREDICTION_FILE, PREDICTED_PROPORTIONS_FILE])
    if PREDICTION_FILE in found:
        faults += _cells_faults(directory / PREDICTION_FILE, perturbations, genes)
    if PREDICTED_PROPORTIONS_FILE in found:
        faults += _proportion_faults(directory / PREDICTED_PROPORTIONS_FILE, perturbations)
    return faults


def _broken(where: object, rules: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each rule that something breaks."""
    return [f"{where}: {rule} {listed(what)}." for rule, what in rules.items() if len(what)]


def _differences(where: object, found: pd.Index, expected: Sequence[str]) -> list[str]:
    lacking = pd.Index(expected).difference(found, sort=False)
    return _broken(where, {"lacks": lacking, "may not hold": found.difference(pd.Index(expected))})


def _cells_faults(file: Path, asked: Sequence[str], genes: Sequence[str]) -> list[str]:
    try:
        cells = open_cells(file, any_values=True)
    except InputError as error:
        return [str(error)]
    n_rows = pd.Series(cells.labels).value_counts()
    wrong = [f"{n:,} of {name}" for name, n in n_rows.items() if n != CELLS_PER_PERTURBATION]
    rules = {
        "var_names lacks, of the scored genes,": [*pd.Index(genes).difference(list(cells.genes))],
        f"there must be {CELLS_PER_PERTURBATION} rows of each perturbation; there are": wrong,
    }
    return [
        *_differences(f"{file}: obs", pd.Index(cells.obs_columns), ["gene"]),
        *_differences(f"{file}: obs['gene']", n_rows.index, asked),
        *_broken(file, rules),
    ]


def _proportion_faults(file: Path, asked: Sequence[str]) -> list[str]:
    try:
        table = pd.read_csv(file)
    except ValueError as error:
        return [f"{file} cannot be read as CSV ({reason(error)})."]
    if faults := _differences(f"{file}: header", table.columns, SUBMITTED_PROPORTION_COLUMNS):
        return faults
    # subtle: read_csv takes a gene called NA for a missing value, and so does the platform
    names = pd.Index(table.pop("gene").astype(str))
    numbers = table.apply(pd.to_numeric, errors="coerce").set_axis(names)
    finite = np.isfinite(numbers).all(axis=1)
    sums = numbers[list(PROGRAMS)].sum(axis=1)[finite]
    off = sums[(sums - 1).abs() > SUM_TOLERANCE]
    rules = {
        "there is a second row for": names[names.duplicated()],
        "there is a value that is no finite number for": names[~finite],
        "lipo, a part of adipo, is larger than it for": names[numbers["lipo"] > numbers["adipo"]],
        f"{' + '.join(PROGRAMS)} must be 1 (to {SUM_TOLERANCE}); it is": [
            f"{total:.4f} for {name}" for name, total in off.items()
        ],
    }
    return _differences(f"{file}: column gene", names, asked) + _broken(file, rules)


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
    found = [f for f in directory.glob("*.md") if f.name.casefold() == METHOD_FILE.casefold()]
    if not found:
        return [
            f"`{METHOD_FILE}` is missing in {directory}; in resources/ it does not count, and the "
            "extension must be .md, in lower case."
        ]
    content = found[0].read_bytes()
    lines = content.decode("ascii", "replace").replace("\r", "").split("\n")
    text = re.sub(r"<!--.+?-->", "", "\n".join(lines))
    n_sentences = sum(bool(piece.strip()) for piece in re.split(r"[.!?;:\n]", text))
    count = {title: len(re.findall(rf"(?im)^#+ *{title}$", text)) for title in METHOD_HEADINGS}
    odd = [number for number, line in enumerate(lines, 1) if not line.isascii()]
    rules = {
        f"{METHOD_BYTES:,} bytes are the limit; it has": [len(content)]
        * (len(content) > METHOD_BYTES),
        "only ASCII is allowed; other characters stand in line": odd,
        "exactly one heading is needed of each title, `# Title` with nothing behind it, not even a "
        "space; there are": [f"{n} of `{title}`" for title, n in count.items() if n != 1],
        f"at least {METHOD_SENTENCES} sentences are needed; it has": [n_sentences]
        * (n_sentences < METHOD_SENTENCES),
    }
    return _broken(f"`{found[0].name}`", rules)
