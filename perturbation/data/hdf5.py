"""Opens HDF5 files; of one that cannot be read it says why, each cause with its own cure."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from perturbation.errors import InputError, no_permission, reason

CAUSES = (
    (
        r"unable to lock file, errno = (11|13|35)\b",
        "is open for writing in another program. Close it there, and run again.",
    ),
    (
        "unable to lock file",
        "lies on a disk that knows no file locks. Set the environment variable "
        "HDF5_USE_FILE_LOCKING=FALSE, and run again.",
    ),
    (
        "h5clear",
        "is marked as open for writing. If no program writes it any more, run `h5clear -s` on it.",
    ),
    (
        r"plugin|can't open directory|not registered",
        "is whole, but compressed in a way that h5py knows only with a plugin, which the platform "
        'does not have. Write it again with anndata and compression="gzip".',
    ),
    (
        "No read method registered|IOSpec",
        "is whole, but holds an element that this version of anndata does not know. Read it "
        "with the version that wrote it, and write it again with plain columns and categories.",
    ),
    (
        r"errno = (5|116|121)\b|Input/output error",
        "could not be read, as its disk or network drive failed. Look after that, and run again.",
    ),
)
"""What HDF5 and anndata say of files that are whole, and what to say instead."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Raises
    ------
    InputError
        If it is missing, or if it or an element cannot be read; `diagnosis` says why.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Run `crunch download`, or give the right directory.")
    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:  # what h5py raises
        raise InputError(diagnosis(path, error)) from error


def diagnosis(path: Path, error: Exception, element: str = "") -> str:
    """Say in a sentence why a file, or an element of it, could not be read, and what to do."""
    if isinstance(error, PermissionError):
        return no_permission(path)
    what = f"{element} of {path}" if element else str(path)
    for pattern, sentence in CAUSES:
        if re.search(pattern, str(error)):
            return f"{what} {sentence}"
    return f"{what} cannot be read ({reason(error)}). It is cut or damaged: download it again."
