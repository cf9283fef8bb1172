"""How every command ends: its exit status, and a sentence where something is wrong."""

import argparse
import io
import os
import sys
import traceback
from collections.abc import Callable

from perturbation.errors import InputError

FAILED, INTERRUPTED, NOBODY_LISTENS = 2, 130, 141
"""Exit statuses; the last two are what a shell says of SIGINT and SIGPIPE."""


def ending(command: Callable[[], int | None]) -> int:
    """Run a command and return the exit status of the process, whatever happens.

    Parameters
    ----------
    command
        Returns nothing, 0 or, if what it looked at would be rejected, 1.

    Returns
    -------
    That; 2 after an error, which is told on standard error; 130 after Ctrl-C; 141 if the reader of
    standard output went away, as in ``| head -1``.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an ASCII terminal gets ? for a character
    try:
        status = _status(command)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        # subtle: Python flushes once more at its end, and must not fail then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_LISTENS
    return status


def _status(command: Callable[[], int | None]) -> int:
    try:
        return command() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception:  # a fault of ours, or of a user's part: its place is needed
        traceback.print_exc()
    return FAILED


def command_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows the text about a module as it stands there."""
    form = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=description, formatter_class=form)
