"""What `crunch push` would send, by the client's own rules, and what looks wrong among it."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from evaluation.preflight.findings import FAULT, FINE, REFUSED, WARNING, Finding
from perturbation.data.names import listed
from perturbation.errors import InputError

MODEL_DIRECTORY = "resources"
EXPECTED_BYTES = {"code": 3 * 10**6, "model": 10 * 10**9}
"""A clone's code is smaller; the limit of a model is told by others, unverified."""

SUSPICIOUS = {
    "a secret": "token token.* *.token .env* *.pem *.key id_rsa* id_ed25519* .netrc",
    "a virtual environment": "site-packages pyvenv.cfg .venv venv",
    "cells": "*.h5ad *.h5 *.loom *.zarr",
    "a cache": "__pycache__ .*_cache .hypothesis .ipynb_checkpoints .git .idea",
    "an archive": "*.zip *.tar *.tar.gz *.tgz",
}
"""Patterns of a part of a path, by what they give away."""

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
    """What push would send, what looks wrong among it, and what stays here without a word.

    Parameters
    ----------
    submission
        Directory of main.py.
    needed
        main.py and the modules of its own that it imports.
    code, model
        See `pushed_files`.
    """
    unsent = {file.relative_to(submission).as_posix() for file in needed} - code.keys()
    kept = submission / MODEL_DIRECTORY
    there = {file.relative_to(kept).as_posix() for file in kept.rglob("*") if file.is_file()}
    for name in [
        *sorted(unsent),
        *(f"{MODEL_DIRECTORY}/{n}" for n in sorted(there - model.keys())),
    ]:
        yield Finding(
            FAULT,
            f"{name} would not be sent: a line of a .gitignore names it. Take the line away; "
            f"/{MODEL_DIRECTORY}/* keeps models out of git and still lets push send them.",
        )
    for what, names in suspicious_files([*code, *model]).items():
        yield Finding(
            FAULT if what == "a secret" else WARNING,
            f"push would send what looks like {what}: {listed(names)}. "
            "Name it in .gitignore, or take it away.",
        )
    for kind, files in (("code", code), ("model", model)):
        if unreadable := [name for name, path in files.items() if not os.access(path, os.R_OK)]:
            yield Finding(REFUSED, f"push cannot read {listed(unreadable)}. Take it away.")
        else:
            yield _size_finding(kind, {name: path.stat().st_size for name, path in files.items()})


def _size_finding(kind: str, sizes: dict[str, int]) -> Finding:
    """Say what is sent by folder, and which file is the largest if it is a lot."""
    folders: dict[str, list[int]] = {}
    for name, size in sizes.items():
        folders.setdefault(name.partition("/")[0] + "/" if "/" in name else "top", []).append(size)
    parts = [f"{name} {len(all_)} ({sum(all_) / 1e6:.2f} MB)" for name, all_ in folders.items()]
    total = sum(sizes.values())
    text = f"push would send {len(sizes)} {kind} files, {total / 1e6:.2f} MB: {', '.join(parts)}."
    if total <= EXPECTED_BYTES[kind]:
        return Finding(FINE, text)
    largest = max(sizes, key=sizes.__getitem__)
    return Finding(
        WARNING, f"{text} The largest is {largest}, {sizes[largest] / 1e6:.1f} MB: needed?"
    )


def suspicious_files(names: Iterable[str]) -> dict[str, list[str]]:
    """Return, by what they give away, the names that should hardly be sent."""
    found: dict[str, list[str]] = {}
    for name in names:
        parts = [part.lower() for part in PurePosixPath(name).parts]
        for what, patterns in SUSPICIOUS.items():
            if any(fnmatch.filter(parts, pattern) for pattern in patterns.split()):
                found.setdefault(what, []).append(name)
                break
    return found
