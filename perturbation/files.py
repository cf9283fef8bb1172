"""Files that are either whole or absent, the room they need, and reading them again."""

import errno
import glob
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
from numpy.lib.npyio import NpzFile

from perturbation.errors import InputError, reading

A_DAY = 86_400
"""Seconds after which another machine's unfinished file is taken for left behind."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give another name to write to; rename it to `path` when the block ends well.

    Missing directories are made, and what killed runs left of the same file is removed. On any
    failure, Ctrl-C included, the unfinished file is removed and `path` is as it was. Two processes
    may write one file at a time: each has a name of its own, and the last to end wins.

    Raises
    ------
    InputError
        If the system refuses: no such place, no permission, a full disk, a broken one.
    """
    check_writable(path)
    partial = unfinished_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        yield partial
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and _is_about(path, error):
            raise InputError(_refusal(path, error)) from error
        raise


def check_writable(path: Path) -> None:
    """Refuse to start work whose result could not be written to `path`; nothing is left there.

    Raises
    ------
    InputError
        If `path` is a directory, or the system lets nobody write there.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory; a file is to be written there. Remove it.")
        place = next(parent for parent in path.absolute().parents if parent.exists())
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise InputError(_refusal(path, error)) from error


def unfinished_name(path: Path, pid: int | None = None) -> Path:
    """Return the name under which a process, by default this one, writes `path`."""
    return path.with_name(f".{path.name}.{platform.node()}-{pid or os.getpid()}.unfinished")


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed left of a file, or of a directory, of this name."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.unfinished"):
        with suppress(OSError, ValueError):  # another process was faster, or owns it
            if not _is_in_use(left):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _is_in_use(unfinished: Path) -> bool:
    """Whether the process that its name tells may be writing it still."""
    host, _, pid = unfinished.stem.rpartition("-")
    if not host.endswith(f".{platform.node()}"):
        return time.time() - unfinished.stat().st_mtime < A_DAY
    return int(pid) != os.getpid() and psutil.pid_exists(int(pid))


def _is_about(path: Path, error: OSError) -> bool:
    """Whether the system refused this file, and not another that the block reads."""
    its_names = (path, unfinished_name(path), *path.parents)
    return error.filename is None or Path(error.filename) in its_names


def _refusal(path: Path, error: OSError) -> str:
    number = error.errno or 0
    in_a_file = isinstance(error, FileExistsError | NotADirectoryError)
    why = "its directory is a file" if in_a_file else os.strerror(number)
    is_full = number in (errno.ENOSPC, errno.EDQUOT)
    cure = "Free some space or choose" if is_full else "Choose"
    return f"{path} cannot be written ({why}). {cure} a directory where you may write."


def carry_along(file: Path, directory: str | Path) -> None:
    """Copy a file into a directory that has none of its name; nothing if there is no such file."""
    copy = as_path(directory, "model_directory_path") / file.name
    if file.is_file() and not copy.exists():
        with whole_file(copy) as unfinished:
            unfinished.write_bytes(file.read_bytes())


def read_npz(path: Path, cure: str) -> dict[str, np.ndarray]:
    """Read the arrays of an npz file by name; no pickle is opened.

    Raises
    ------
    InputError
        If it is closed to this user, cut, damaged, or no npz file; it ends with `cure`.
    """
    with reading(path, "npz", "", cure), path.open("rb") as stream, NpzFile(stream) as file:
        arrays = {name: np.asarray(file[name]) for name in file.files}
    return arrays


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


def as_path(path: str | Path, argument: str) -> Path:
    """Return `path` as a Path; InputError if the argument of that name is none."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{argument} must be a path, found {path!r}.")
    return Path(path)
