"""What `crunch push` would send and what refuse, by the client's own rules."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pandas as pd

from evaluation.preflight.findings import FAULT, FINE, REFUSED, WARNING, Finding
from perturbation.data.names import listed
from perturbation.errors import InputError, reason

MODEL_DIRECTORY = "resources"
EXPECTED_BYTES = {"code": 3 * 10**6, "model": 10 * 10**9}
"""A clone's code is smaller; the limit of a model is told by others, unverified."""

installed = cache(packages_distributions)
"""From what is imported to what is installed (sklearn: scikit-learn); it takes half a second."""

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
        listers = list_code_files, list_model_files
        found = [files_of(str(submission), MODEL_DIRECTORY) for files_of in listers]
    code, model = ({name: Path(path) for name, path in sorted(kind.items())} for kind in found)
    return code, model


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


def requirement_findings(code: Files, packages: dict[str, str]) -> Iterator[Finding]:
    """Whether push takes the requirements, and whether they are all that main.py needs.

    Whether each is on the platform's whitelist is known there alone: push asks it.

    Parameters
    ----------
    code
        The code files that push would send.
    packages
        From the packages that main.py imports to the place that does.
    """
    from crunch_convert.requirements_txt import RequirementParseError, parse_from_file

    path = code.get("requirements.txt")
    if path is None:
        text = "requirements.txt is missing, or a .gitignore names it. List what main.py imports."
        yield Finding(REFUSED, text)
        return
    try:
        content = path.open().read()  # in this system's encoding, as the client does
        named = {_canonical(found.name) for found in parse_from_file(file_content=content)}
    except (RequirementParseError, OSError, UnicodeError) as error:
        yield Finding(
            REFUSED,
            f"{path}: {reason(error)}. Save it as UTF-8; give a name a line and, after it, version "
            "ranges with commas between them.",
        )
        return
    distributions = installed()
    owners = {package: distributions.get(package, [package])[0] for package in packages}
    missing = [package for package, owner in owners.items() if _canonical(owner) not in named]
    for package in missing:
        yield Finding(
            FAULT,
            f"requirements.txt lacks {owners[package]}, imported as {package} in "
            f"{packages[package]}: the run fails there. Add it, if it is on the whitelist.",
        )
    if not missing:
        yield Finding(
            FINE, f"requirements.txt has all that main.py imports: {', '.join(sorted(packages))}."
        )
    # the submission's directory comes first on sys.path, so its names hide those of libraries
    modules = {name.removesuffix(".py").split("/")[0] for name in code if name.endswith(".py")}
    for name in sorted(modules & {*distributions, *sys.stdlib_module_names}):
        yield Finding(FAULT, f"{name} at the top hides the library of that name. Rename it.")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
