"""What `crunch push` would send, by the client's own rules, and what it would not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from evaluation.preflight.findings import FAULT, FINE, REFUSED, WARNING, Finding
from perturbation.data.names import listed
from perturbation.errors import InputError

MODEL_DIRECTORY = "resources"
EXPECTED_BYTES = {"code": 3 * 10**6, "model": 10 * 10**9}
"""A clone's code is smaller; the limit of a model is told by others, unverified."""

Files = dict[str, Path]
"""From the name under which push sends a file to where it stands."""


def pushed_files(submission: Path) -> tuple[Files, Files]:
    """Return the code files and the model files that push would send.

    Raises
    ------
    InputError
        If the client is missing: nobody else can say.
    """
    try:
        from crunch.command.push import list_code_files, list_model_files
    except ImportError as error:
        raise InputError(
            f"The client cannot be asked ({error}): pip install -r requirements.txt."
        ) from error
    with contextlib.chdir(submission):  # elsewhere the client's rules do not match
        code = list_code_files(str(submission), MODEL_DIRECTORY)
        model = list_model_files(str(submission), MODEL_DIRECTORY)
    return _as_paths(code), _as_paths(model)


def _as_paths(files: dict[str, str]) -> Files:
    return {name: Path(path) for name, path in sorted(files.items())}


def push_findings(
    submission: Path, needed: set[Path], code: Files, model: Files
) -> Iterator[Finding]:
    """What push would send, and what stays here without a word.

    Parameters
    ----------
    submission
        Directory of main.py.
    needed
        main.py and the modules of its own that it imports.
    code, model
        See `pushed_files`.
    """
    kept = {path for path in (submission / MODEL_DIRECTORY).rglob("*") if path.is_file()}
    for path in sorted((needed | kept) - {*code.values(), *model.values()}):
        yield Finding(
            FAULT,
            f"{path.relative_to(submission)} would not be sent: a line of a .gitignore names it. "
            f"Take the line away; /{MODEL_DIRECTORY}/* keeps models out of git and still lets push "
            "send them.",
        )
    for kind, files in (("code", code), ("model", model)):
        if unreadable := [name for name, path in files.items() if not os.access(path, os.R_OK)]:
            yield Finding(REFUSED, f"push cannot read {listed(unreadable)}. Take it away.")
        else:
            yield _size_finding(kind, files)


def _size_finding(kind: str, files: Files) -> Finding:
    """Say what is sent by folder, and which file is the largest if it is a lot."""
    megabytes = pd.Series({name: path.stat().st_size / 1e6 for name, path in files.items()})
    folders = [f"{name.split('/')[0]}/" if "/" in name else "top" for name in files]
    parts = [
        f"{name} {len(sizes)} ({sizes.sum():.2f} MB)" for name, sizes in megabytes.groupby(folders)
    ]
    text = f"push would send {len(files)} {kind} files, {megabytes.sum():.2f} MB: "
    text += f"{', '.join(parts)}."
    if megabytes.sum() * 1e6 <= EXPECTED_BYTES[kind]:
        return Finding(FINE, text)
    largest = f"{megabytes.idxmax()}, {megabytes.max():.1f} MB"
    return Finding(WARNING, f"{text} The largest is {largest}: needed?")
