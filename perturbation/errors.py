"""The one exception whose message is a sentence for the user, and sentences that recur."""

from pathlib import Path


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
