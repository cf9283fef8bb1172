"""Every reason for which the platform would reject a prediction or `Method description.md`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

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
    return [
        *_file_faults(directory),
        *_h5ad_faults(directory / PREDICTION_FILE, perturbations, genes),
        *_csv_faults(directory / PREDICTED_PROPORTIONS_FILE, perturbations),
    ]


def check_method_description(directory: Path) -> list[str]:
    """Say why the platform would reject `Method description.md` at the top of a submission."""
    found = [f for f in directory.iterdir() if f.name.casefold() == METHOD_FILE.casefold()]
    read = [f for f in found if f.suffix == ".md"]
    if not found:
        return [f"`{METHOD_FILE}` is missing in {directory}; in resources/ it does not count."]
    if not read:
        return [f"`{found[0].name}` is not read: the extension must be .md, in lower case."]
    if read[0].stat().st_size > METHOD_BYTES:
        return [f"`{read[0].name}` is {read[0].stat().st_size:,} bytes; 4 MiB is the limit."]
    return list(_method_faults(read[0].name, read[0].read_bytes()))


def unusable_values(directory: Path) -> list[str]:
    """Say what in X the platform lets pass and the scores then suffer from: NaN, inf, below 0."""
    file = directory / PREDICTION_FILE
    not_finite = negative = 0
    for *_, block in open_cells(file, any_values=True).blocks():
        not_finite += block.nnz - int(np.isfinite(block.data).sum())
        negative += int((block.data < 0).sum())
    faults = []
    if not_finite:
        faults.append(f"{file}: {not_finite:,} values of X are NaN or infinite; scores become NaN.")
    if negative:
        faults.append(f"{file}: {negative:,} values of X are negative; no real cell has any.")
    return faults


def _file_faults(directory: Path) -> Iterator[str]:
    expected = {PREDICTION_FILE, PREDICTED_PROPORTIONS_FILE}
    found = {path.name for path in directory.iterdir()}
    missing, stray = sorted(expected - found), sorted(found - expected)
    if missing:
        yield f"{directory} lacks {listed(missing)}: infer() must write both files."
    if stray:
        allowed = listed(sorted(expected))
        yield f"{directory} holds {listed(stray)}; only {allowed} may stand there."


def _h5ad_faults(file: Path, perturbations: Sequence[str], genes: Sequence[str]) -> Iterator[str]:
    if not file.is_file():
        return
    try:
        cells = open_cells(file, any_values=True)
    except InputError as error:
        yield str(error)
        return
    yield from _gene_faults(file, cells.genes, genes)
    if set(cells.obs_columns) != {"gene"}:
        found = listed(cells.obs_columns)
        yield f"{file}: obs has the columns {found}; exactly gene is allowed."
    yield from _row_faults(file, cells.labels, perturbations)


def _gene_faults(file: Path, names: np.ndarray, genes: Sequence[str]) -> Iterator[str]:
    missing = [gene for gene in genes if gene not in set(names)]
    if missing:
        yield (
            f"{file}: {len(missing):,} of the {len(genes):,} scored genes are not in var_names, "
            f"first: {listed(missing)}."
        )


def _row_faults(file: Path, labels: np.ndarray, perturbations: Sequence[str]) -> Iterator[str]:
    rows = pd.Series(labels).value_counts()
    yield from _set_faults(f"{file}: obs['gene']", rows.index, perturbations)
    wrong = {
        p: int(rows[p]) for p in perturbations if p in rows and rows[p] != CELLS_PER_PERTURBATION
    }
    if wrong:
        first = next(iter(wrong))
        yield (
            f"{file}: {len(wrong):,} perturbations do not have {CELLS_PER_PERTURBATION} rows, "
            f"first: {first} with {wrong[first]:,}."
        )


def _set_faults(where: str, found: Collection[str], expected: Sequence[str]) -> Iterator[str]:
    missing = [name for name in expected if name not in set(found)]
    extra = sorted(set(found) - set(expected))
    if missing:
        yield f"{where} lacks {len(missing):,} of {len(expected):,} asked: {listed(missing)}."
    if extra:
        yield f"{where} holds {len(extra):,} that were not asked: {listed(extra)}."


def _csv_faults(file: Path, perturbations: Sequence[str]) -> Iterator[str]:
    if not file.is_file():
        return
    try:
        table = pd.read_csv(file)
    except (ValueError, UnicodeDecodeError) as error:
        yield f"{file} cannot be read as CSV ({reason(error)})."
        return
    if sorted(table.columns) != sorted(SUBMITTED_PROPORTION_COLUMNS):
        yield (
            f"{file} has the columns {', '.join(table.columns)}; exactly "
            f"{', '.join(SUBMITTED_PROPORTION_COLUMNS)} are allowed (lipo_adipo is rejected)."
        )
        return
    if len(table) != len(perturbations):
        yield f"{file} has {len(table):,} rows; {len(perturbations):,} perturbations were asked."
    # subtle: read_csv takes a gene called NA for a missing value, and so does the platform
    yield from _set_faults(f"{file}: gene", table["gene"].dropna().astype(str), perturbations)
    yield from _value_faults(file, table)


def _value_faults(file: Path, table: pd.DataFrame) -> Iterator[str]:
    if table.isna().to_numpy().any():
        yield f"{file} holds {int(table.isna().to_numpy().sum()):,} empty or NaN values."
    numbers = table.drop(columns="gene")
    text = [name for name in numbers if not pd.api.types.is_numeric_dtype(numbers[name])]
    if text:
        yield f"{file}: {listed(text)} holds values that are not numbers."
        return
    infinite = np.isinf(numbers.to_numpy(dtype=np.float64))
    if infinite.any():
        yield f"{file} holds {int(infinite.sum()):,} infinite values."
        return
    yield from _constraint_faults(file, table)


def _constraint_faults(file: Path, table: pd.DataFrame) -> Iterator[str]:
    larger = table.loc[table["lipo"] > table["adipo"], "gene"]
    if len(larger):
        yield (
            f"{file}: lipo is larger than adipo in {len(larger):,} rows, first: {larger.iloc[0]}; "
            "lipo is a part of adipo."
        )
    total = table[list(PROGRAMS)].sum(axis=1, skipna=False)
    off = table.loc[(total - 1).abs() > SUM_TOLERANCE, "gene"]
    if len(off):
        yield (
            f"{file}: pre_adipo + adipo + other is not 1 (to {SUM_TOLERANCE}) in {len(off):,} rows,"
            f" first: {off.iloc[0]} with {total[off.index[0]]:.4f}."
        )


def _method_faults(name: str, content: bytes) -> Iterator[str]:
    if not content.isascii():
        line = 1 + next(i for i, text in enumerate(content.split(b"\n")) if not text.isascii())
        yield f"`{name}` has characters outside ASCII, first in line {line}; none is allowed."
    text = re.sub(r"<!--.+?-->", "", content.decode("ascii", "replace").replace("\r", ""))
    for heading in METHOD_HEADINGS:
        count = len(re.findall(rf"(?im)^#+ *{heading}$", text))
        if count != 1:
            yield (
                f"`{name}` has {count} headings `{heading}`; exactly one is needed, the line being "
                f"`# {heading}` and nothing else, not even a space at its end."
            )
    pieces = [p for line in text.splitlines() for p in re.split(r"[.!?;:]", line) if p.strip()]
    if len(pieces) < METHOD_SENTENCES:
        yield f"`{name}` has {len(pieces)} sentences; at least {METHOD_SENTENCES} are needed."
