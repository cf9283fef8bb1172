"""The one exception whose message is a sentence for the user, and sentences that recur."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CAUSES = {
    r"\[Errno (2|20)\]": "is missing. Give the right place, or run `crunch download`.",
    r"\[Errno 21\]|Is a directory": "is a directory. Put the file in its place.",
    r"^(\[Errno 13\] )?Permission denied|unable to open file.* = 'Permission denied'": "may not be "
    "read by this user. Change its permissions, as `chmod a+r` does.",
    r"unable to lock file, errno = (11|13|35)\b": "is open for writing in another program. Close "
    "it there, and run again.",
    "unable to lock file": "lies on a disk that knows no file locks. Set the environment variable "
    "HDF5_USE_FILE_LOCKING=FALSE, and run again.",
    "h5clear": "is marked as open for writing. If no program writes it any more, run `h5clear -s` "
    "on it.",
    "plugin|can't open directory|not registered": "is whole, but compressed in a way that h5py "
    "knows only with a plugin, which the platform does not have. Write it again with anndata and "
    'compression="gzip".',
    "No read method registered|IOSpec": "is whole, but holds an element that this version of "
    "anndata does not know. Read it with the version that wrote it, and write it again with plain "
    "columns and categories.",
    r"errno = (5|116|121)\b|Input/output error": "could not be read, as its disk or network drive "
    "failed. Look after that, and run again.",
}
"""What the system, HDF5 and anndata say of files that are not damaged, and what to say instead."""
DAMAGED = "It is cut or damaged: download it again, or write it anew."


class InputError(ValueError):
    """Something the user gave is wrong; the message says which file, what was found, what to do."""


def reason(error: BaseException) -> str:
    """Return what another library's exception says, short and on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."


@contextmanager
def reading(path: Path, form: str = "", element: str = "", cure: str = DAMAGED) -> Iterator[None]:
    """Turn what a library says of a file read in the block into a sentence for the user.

    Parameters
    ----------
    path
        The file.
    form
        As what it is read: "CSV".
    element
        What of it is read, if not all.
    cure
        What to do if no other cause is known: see `CAUSES`.

    Raises
    ------
    InputError
        Which file cannot be read, why, and what to do.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # HDF5, anndata, numpy, zipfile, zlib and pandas raise a dozen kinds
        what = f"{element} of {path}" if element else str(path)
        for pattern, sentence in CAUSES.items():
            if re.search(pattern, str(error)):
                raise InputError(f"{what} {sentence}") from error
        as_form = f" as {form}" if form else ""
        raise InputError(f"{what} cannot be read{as_form} ({reason(error)}). {cure}") from error
