"""Holds requirements.txt against the client's own parser and against what main.py imports."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions

from evaluation.preflight.findings import FAULT, FINE, REFUSED, WARNING, Finding
from evaluation.preflight.pushed_files import Files
from perturbation.errors import InputError, reason

ALLOWED = {"crunch-cli", "anndata", "scanpy", "numpy", "scipy", "pandas", "h5py", "psutil", "tqdm"}
"""Known to be on the platform's whitelist; asking for more needs the network."""

installed = cache(packages_distributions)
"""From what is imported to what is installed: sklearn is of scikit-learn."""


def requirement_findings(code: Files, packages: dict[str, str]) -> Iterator[Finding]:
    """Whether push takes the requirements, and whether they are all that main.py needs.

    Parameters
    ----------
    code
        The code files that push would send.
    packages
        From the packages that main.py imports to the first place that does.
    """
    try:
        named = read_requirements(code)
    except InputError as error:
        yield Finding(REFUSED, str(error))
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
    for name, specifiers in named.items():
        if name not in ALLOWED:
            yield Finding(
                WARNING,
                f"requirements.txt names {name}, which may not be on the platform's whitelist: "
                f"push then refuses. Look with `crunch whitelist search {name}`.",
            )
        if any(specifier.startswith("==") for specifier in specifiers):
            yield Finding(
                WARNING,
                f"requirements.txt pins {name}{','.join(specifiers)}: the cloud installs with "
                "constraints of its own. Give a range.",
            )
    yield from _shadows(code, {*distributions, *sys.stdlib_module_names})


def read_requirements(code: Files) -> dict[str, list[str]]:
    """Read as push does, and return the specifiers of each name, in lower case and with dashes.

    Raises
    ------
    InputError
        If push would refuse: there is no requirements.txt, or the client cannot parse it.
    """
    from crunch_convert import RequirementLanguage
    from crunch_convert.requirements_txt import RequirementParseError, parse_from_file

    named = {}
    if "requirements.txt" not in code:
        raise InputError(
            "requirements.txt is missing, or a .gitignore names it. List what main.py imports."
        )
    for language in RequirementLanguage:
        if language.txt_file_name not in code:
            continue
        path = code[language.txt_file_name]
        try:
            content = path.open().read()  # in this system's encoding, as the client does
            for found in parse_from_file(language=language, file_content=content):
                named[_canonical(found.name)] = found.specs
        except RequirementParseError as error:
            raise InputError(
                f"{path}: {error.message}, in {error.source.strip()!r}. Give a name and, after it, "
                "version ranges with commas between them."
            ) from error
        except (OSError, UnicodeError) as error:
            raise InputError(
                f"{path} cannot be read ({reason(error)}). Save it as UTF-8."
            ) from error
    return named


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _shadows(code: Files, libraries: set[str]) -> Iterator[Finding]:
    """The submission's directory comes first on sys.path, so its names hide those of libraries."""
    modules = [name.removesuffix(".py").split("/")[0] for name in code if name.endswith(".py")]
    for name in sorted({*modules} & libraries):
        yield Finding(FAULT, f"{name} at the top hides the library of that name. Rename it.")
