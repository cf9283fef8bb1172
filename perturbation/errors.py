"""The one exception whose message is a sentence for the user, and sentences that recur."""

import re
from pathlib import Path

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


class InputError(ValueError):
    """Something the user gave is wrong; the message says which file, what was found, what to do."""


def reason(error: BaseException) -> str:
    """Return what another library's exception says, short and on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."


def no_permission(path: Path) -> str:
    """Say that a file is there but closed to this user."""
    return f"{path} may not be read by this user. Change its permissions, as `chmod a+r` does."


def unreadable(path: Path, error: Exception, kind: str) -> str:
    """Say why a file of the competition's cannot be read, and what to do."""
    if isinstance(error, FileNotFoundError):
        return f"{path} is missing. Run `crunch download`."
    if isinstance(error, PermissionError):
        return no_permission(path)
    return f"{path} cannot be read as {kind} ({reason(error)}). Download it again."


def diagnosis(path: Path, error: Exception, element: str = "") -> str:
    """Say in a sentence why a file, or an element of it, could not be read, and what to do."""
    if isinstance(error, PermissionError):
        return no_permission(path)
    what = f"{element} of {path}" if element else str(path)
    for pattern, sentence in CAUSES:
        if re.search(pattern, str(error)):
            return f"{what} {sentence}"
    cure = "It is cut or damaged: download it again, or write it anew."
    return f"{what} cannot be read ({reason(error)}). {cure}"
