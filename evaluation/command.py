"""How every command ends: its exit status, and a sentence where something is wrong."""

import argparse
import errno
import io
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from evaluation.local.stage_process import describe_failure
from perturbation.errors import InputError

HOME = Path(__file__).resolve().parents[1]
RESOURCES = HOME / "resources"

FAILED, INTERRUPTED, NOBODY_LISTENS = 2, 130, 141
"""Exit statuses; the last two are what a shell says of SIGINT and SIGPIPE."""
CANNOT_WRITE = "error: Nothing can be written (No space left on device). Free some, in $TMPDIR too."
CANNOT_WRITE_TEXT = (
    f"anndata {version('anndata')} cannot write the text of pandas {version('pandas')}. Run `pip "
    'install "pandas<3"`, or take Python 3.12 or newer, for which there is anndata 0.13.'
)


def users_main() -> ModuleType:
    """Return main.py, which people rewrite; InputError with their error where it does not load."""
    try:
        return import_module("main")
    except (Exception, SystemExit) as error:
        raise InputError(describe_failure(error, "main.py cannot be loaded", str(HOME))) from error


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
        return _status(command)
    except BrokenPipeError:
        status = NOBODY_LISTENS
    except OSError:
        status = FAILED
        if sys.stderr:
            print(CANNOT_WRITE, file=sys.stderr)
    if sys.stdout:  # subtle: Python flushes once more at its end, and must not fail then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _status(command: Callable[[], int | None]) -> int:
    try:
        status = command() or 0
        if sys.stdout:
            sys.stdout.flush()
        return status
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC):
            raise
        if type(error).__name__ == "IORegistryError":  # of anndata's, which shows it nowhere
            print(f"error: {CANNOT_WRITE_TEXT}", file=sys.stderr)
        else:  # a fault of ours, or of a user's part: its place is needed
            traceback.print_exc()
    return FAILED


def command_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows the text about a module as it stands there."""
    form = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=description, formatter_class=form)
