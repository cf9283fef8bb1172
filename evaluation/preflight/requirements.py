"""Holds requirements.txt against the client's own parser and against what main.py imports."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

from evaluation.preflight.findings import FAULT, FINE, REFUSED, Finding
from evaluation.preflight.pushed_files import Files
from perturbation.errors import InputError, reason


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
    try:
        named = read_requirements(code)
    except InputError as error:
        yield Finding(REFUSED, str(error))
        return
    distributions = packages_distributions()  # sklearn is of scikit-learn
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


def read_requirements(code: Files) -> set[str]:
    """Read as push does, and return the names, in lower case and with dashes.

    Raises
    ------
    InputError
        If push would refuse: there is no requirements.txt, or the client cannot parse it.
    """
    from crunch_convert.requirements_txt import RequirementParseError, parse_from_file

    path = code.get("requirements.txt")
    if path is None:
        raise InputError(
            "requirements.txt is missing, or a .gitignore names it. List what main.py imports."
        )
    try:
        content = path.open().read()  # in this system's encoding, as the client does
        return {_canonical(found.name) for found in parse_from_file(file_content=content)}
    except (RequirementParseError, OSError, UnicodeError) as error:
        raise InputError(
            f"{path}: {reason(error)}. Save it as UTF-8; give a name a line and, after it, version "
            "ranges with commas between them."
        ) from error


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
