"""Files that are either whole or absent, and the room they need."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from perturbation.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give another name to write to; rename it to `path` when the block ends well.

    Missing directories are made. Whatever stands under that other name, left by a killed run, is
    removed first. On any failure, Ctrl-C included, the unfinished file is removed and `path` is as
    it was.

    Raises
    ------
    InputError
        If the system refuses: no such place, no permission, a full disk, a broken one.
    """
    partial = unfinished_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        if path.is_dir():
            raise InputError(f"{path} is a directory; a file is to be written there. Remove it.")
        yield partial
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and _is_about(path, error):
            raise InputError(_refusal(path, error)) from error
        raise


def unfinished_name(path: Path) -> Path:
    """Return the name under which `path` is written; it is removed by the next start."""
    return path.with_name(f".{path.name}.unfinished")


def _is_about(path: Path, error: OSError) -> bool:
    """Whether the system refused this file, and not another that the block reads."""
    its_names = (path, unfinished_name(path), *path.parents)
    return error.filename is None or Path(error.filename) in its_names


def _refusal(path: Path, error: OSError) -> str:
    in_a_file = isinstance(error, FileExistsError | NotADirectoryError)
    why = "its directory is a file" if in_a_file else os.strerror(error.errno)
    return f"{path} cannot be written ({why}). Free some space or choose another directory."


def carry_along(file: Path, directory: str | Path) -> None:
    """Copy a file into a directory that has none of its name; nothing if there is no such file."""
    copy = as_path(directory, "model_directory_path") / file.name
    if file.is_file() and not copy.exists():
        with whole_file(copy) as unfinished:
            shutil.copyfile(file, unfinished)


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
