"""Results as text: aligned tables for a terminal, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perturbation.files import whole_file


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Join cells into lines: the first column to the left, the others to the right."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *[text.rjust(width) for text, width in rest]])


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all; NaN and infinities, which JSON lacks, become null."""
    text = json.dumps(_without_nan(values), indent=1, allow_nan=False)
    with whole_file(path) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
