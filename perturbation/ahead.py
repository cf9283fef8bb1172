"""Lets disk and processor work at the same time."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


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
