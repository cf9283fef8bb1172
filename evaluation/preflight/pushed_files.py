"""What `crunch push` would send, by the client's own rules, and what looks wrong among it."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from evaluation.preflight.findings import FAULT, FINE, WARNING, Finding
from evaluation.preflight.imports import follow_imports
from perturbation.data.names import listed
from perturbation.errors import reason

MODEL_DIRECTORY = "resources"
LIMITS = {"code": 5 * 10**9, "model": 10 * 10**9}
"""Bytes; told by others, unverified."""

SUSPICIOUS = {
    "a secret": (
        "token",
        "token.*",
        "*.token",
        ".env*",
        "*.pem",
        "*.key",
        "id_rsa*",
        "id_ed25519*",
        ".netrc",
    ),
    "a virtual environment": ("site-packages", "pyvenv.cfg", ".venv", "venv"),
    "cells": ("*.h5ad", "*.h5", "*.loom", "*.zarr"),
    "a cache": ("__pycache__", ".*_cache", ".hypothesis", ".ipynb_checkpoints", ".git", ".idea"),
    "an archive": ("*.zip", "*.tar", "*.tar.gz", "*.tgz"),
}
"""Patterns of a part of a path, by what they give away."""


def push_findings(submission: Path) -> Iterator[Finding]:
    """What push would send, what looks wrong among it, and what stays here without a word."""
    try:
        code, model = pushed_files(submission)
    except (ImportError, TypeError) as error:
        yield Finding(
            WARNING,
            f"What push would send is not known: crunch-cli is missing or changed "
            f"({reason(error)}). Run `crunch push --dry -m test`.",
        )
        return
    yield from _left_here(submission, code, model)
    for what, names in suspicious_files([*code, *model]).items():
        yield Finding(
            FAULT if what == "a secret" else WARNING,
            f"push would send what looks like {what}: {listed(names)}. "
            "Name it in .gitignore, or take it away.",
        )
    for kind, files in (("code", code), ("model", model)):
        size = total_bytes(files.values())
        text = f"push would send {len(files)} {kind} files, {size / 1e6:.1f} MB"
        if size > LIMITS[kind]:
            yield Finding(FAULT, f"{text}; the limit told is {LIMITS[kind] / 1e9:.0f} GB.")
        else:
            yield Finding(FINE, f"{text}.")


def pushed_files(submission: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the code files and the model files that push would send, by their names there.

    Raises
    ------
    ImportError
        If crunch-cli is not installed, or has changed.
    """
    from crunch.command.push import list_code_files, list_model_files

    with contextlib.chdir(submission):  # elsewhere the client's rules do not match
        code = list_code_files(str(submission), MODEL_DIRECTORY)
        model = list_model_files(str(submission), MODEL_DIRECTORY)
    return _as_paths(code), _as_paths(model)


def _as_paths(files: dict[str, str]) -> dict[str, Path]:
    return {name: Path(path) for name, path in sorted(files.items())}


def suspicious_files(names: Iterable[str]) -> dict[str, list[str]]:
    """Return, by what they give away, the names that should hardly be sent."""
    found: dict[str, list[str]] = {}
    for name in names:
        for what, patterns in SUSPICIOUS.items():
            parts = [part.lower() for part in PurePosixPath(name).parts]
            if any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in patterns):
                found.setdefault(what, []).append(name)
                break
    return found


def total_bytes(files: Iterable[Path]) -> int:
    """Size of all files together."""
    return sum(file.stat().st_size for file in files)


def _left_here(
    submission: Path, code: dict[str, Path], model: dict[str, Path]
) -> Iterator[Finding]:
    """Files that the run needs and push does not send."""
    try:
        _, files = follow_imports(submission / "main.py")
    except (OSError, SyntaxError):
        files = set()
    needed = [file.relative_to(submission).as_posix() for file in files]
    left = sorted(set(needed) - set(code))
    kept = submission / MODEL_DIRECTORY
    there = kept.rglob("*") if kept.is_dir() else ()
    names = [file.relative_to(kept).as_posix() for file in there if file.is_file()]
    left += [f"{MODEL_DIRECTORY}/{name}" for name in sorted(set(names) - set(model))]
    for name in left:
        yield Finding(
            FAULT,
            f"{name} would not be sent: a line of a .gitignore names it. Take the line away; "
            f"/{MODEL_DIRECTORY}/* keeps models out of git and still lets push send them.",
        )
