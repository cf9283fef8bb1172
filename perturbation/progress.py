"""A progress bar in a terminal, a plain line every ten seconds where there is none."""

import sys
from collections.abc import Callable
from typing import TextIO

from tqdm.auto import tqdm


class _Lines(tqdm):
    """A bar that prints whole lines, for logs."""

    monitor_interval = 0  # no thread of its own

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        return lambda status: print(status.rstrip(), file=file, flush=True) if status else None


def progress(total: int, what: str, unit: str) -> tqdm:
    """Return a tqdm bar over `total` units; call its `update`, close it or use it in a `with`."""
    if sys.stderr.isatty():
        return tqdm(total=total, desc=what, unit=unit, unit_scale=True, leave=False)
    form = "{desc}: {percentage:.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"
    return _Lines(
        total=total, desc=what, unit=unit, unit_scale=True, mininterval=10, bar_format=form
    )
