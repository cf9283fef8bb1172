"""Long loops: a progress bar, and the next item made while this one is in use."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn, TextIO, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


class _Lines:
    """A stream for tqdm to write to, that turns its bars into lines, for logs and notebooks."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        # A reader who went away, or an odd stream, is no reason to stop the work.
        with suppress(OSError, ValueError, AttributeError):
            if text.strip():
                print(text.strip(), file=self.stream, flush=True)


def progress(total: int, what: str, unit: str) -> tqdm[NoReturn]:
    """Return a tqdm bar over `total` units; call its `update`, close it or use it in a `with`.

    It redraws itself on a terminal, prints a line every 10 s elsewhere, and nothing where there is
    no standard error. In a notebook too it prints lines: tqdm.auto would be another class there.
    """
    stream = sys.stderr
    shown: dict[str, Any] = {"total": total, "desc": what, "unit": unit, "unit_scale": True}
    with suppress(AttributeError, ValueError):  # none, closed, or an odd one
        if stream.isatty():
            return tqdm(**shown, leave=False)
    lines = _Lines(stream)  # without a bar: only its numbers
    return tqdm(**shown, file=lines, disable=stream is None, mininterval=10, miniters=1, ncols=0)


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield `items` unchanged, while a thread already makes the next one.

    At most two items exist at a time: the one in use and the next. None of them is None.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1) as thread:
        pending = thread.submit(next, iterator, None)
        while (item := pending.result()) is not None:
            pending = thread.submit(next, iterator, None)
            yield item
            del item
