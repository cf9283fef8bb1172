"""Files that are either whole or absent, and the room they need."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from perturbation.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give another name to write to; rename it to `path` when the block ends well.

    Whatever stands under that other name, left by a killed run, is removed first. On any failure,
    Ctrl-C included, the unfinished file is removed and `path` is as it was.
    """
    partial = unfinished_name(path)
    partial.unlink(missing_ok=True)
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def unfinished_name(path: Path) -> Path:
    """Return the name under which `path` is written; it is removed by the next start."""
    return path.with_name(f".{path.name}.unfinished")


def need_room(path: Path, n_bytes: int) -> None:
    """Refuse to start what cannot fit on the disk.

    Raises
    ------
    InputError
        If the file system of `path` has less than `n_bytes` free.
    """
    free = shutil.disk_usage(path.parent).free
    if n_bytes > free:
        raise InputError(
            f"{path} needs {n_bytes / 1e9:.2f} GB, but only {free / 1e9:.2f} GB are free in "
            f"{path.parent}. Free some space or choose another directory."
        )
