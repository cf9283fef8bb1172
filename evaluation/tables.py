"""Results as text: aligned tables for a terminal, and JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perturbation.files import whole_file


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Join cells into lines: the first column to the left, the others to the right.

    Parameters
    ----------
    header
        Titles of the columns.
    rows
        Each with a text for every title.
    """
    columns = []
    for number, column in enumerate(zip(header, *rows, strict=True)):
        width = max(map(len, column))
        columns.append([text.rjust(width) if number else text.ljust(width) for text in column])
    return "\n".join("  ".join(line) for line in zip(*columns, strict=True))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all; NaN and infinities, which JSON lacks, become null."""
    without_nan = json.loads(json.dumps(values), parse_constant=lambda _: None)
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(without_nan, indent=1) + "\n", encoding="utf-8")
