"""Long loops: a progress bar, and the next item made while this one is in use."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO, TypeVar

from tqdm.auto import tqdm

Item = TypeVar("Item")
_END = object()


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


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield `items` unchanged, while a thread already makes the next one.

    At most two items exist at a time: the one in use and the next.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1) as thread:
        pending = thread.submit(next, iterator, _END)
        while (item := pending.result()) is not _END:
            pending = thread.submit(next, iterator, _END)
            yield item
            del item
