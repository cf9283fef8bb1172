"""Holds requirements.txt against what main.py imports and against the known whitelist."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from evaluation.preflight.findings import FAULT, FINE, WARNING, Finding
from evaluation.preflight.imports import distribution_of, follow_imports
from perturbation.errors import reason

# Known to be on the platform's whitelist.
WHITELIST = {
    "crunch-cli",
    "anndata",
    "scanpy",
    "numpy",
    "scipy",
    "pandas",
    "h5py",
    "psutil",
    "tqdm",
}


def requirement_findings(submission: Path) -> Iterator[Finding]:
    """requirements.txt against what main.py imports and against the known whitelist."""
    path = submission / "requirements.txt"
    if not path.is_file():
        yield Finding(FAULT, f"{path} is missing: push refuses. List what main.py imports.")
        return
    named, odd = read_requirements(path)
    for line in odd:
        yield Finding(FAULT, f"{path}: push cannot read {line!r}; give names and ranges only.")
    try:
        packages, _ = follow_imports(submission / "main.py")
    except (OSError, SyntaxError) as error:
        yield Finding(FAULT, f"main.py cannot be read ({reason(error)}).")
        return
    yield from _missing_requirements(packages, named)
    yield from _shadows(submission, {*packages, *named, *sys.stdlib_module_names})
    for name, specifier in named.items():
        if name not in WHITELIST:
            yield Finding(
                WARNING,
                f"{path} names {name}, which may not be on the platform's whitelist: push then "
                f"refuses. Look with `crunch whitelist search {name}`.",
            )
        if specifier.startswith("=="):
            yield Finding(
                WARNING,
                f"{path} pins {name}{specifier}: the cloud installs with constraints of its own. "
                "Give a range.",
            )


def read_requirements(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the specifier of each name, in lower case and with dashes, and the lines not read."""
    named, odd = {}, []
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        line = line.partition("#")[0].strip()
        match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^]]*\])?\s*([<>=!~].*)?(;.*)?", line)
        if match:
            named[_canonical(match[1])] = match[2] or ""
        elif line:
            odd.append(line)
    return named, odd


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _missing_requirements(packages: dict[str, str], named: dict[str, str]) -> Iterator[Finding]:
    missing = {
        p: where for p, where in packages.items() if _canonical(distribution_of(p)) not in named
    }
    for package, where in missing.items():
        yield Finding(
            FAULT,
            f"requirements.txt lacks {distribution_of(package)}, imported as {package} in {where}: "
            "the run fails there. Add it, if it is on the whitelist.",
        )
    if not missing:
        names = ", ".join(sorted(packages))
        yield Finding(FINE, f"requirements.txt has all that main.py imports: {names}.")


def _shadows(submission: Path, libraries: set[str]) -> Iterator[Finding]:
    """The submission's directory comes first on sys.path, so its names hide those of libraries."""
    for path in sorted(submission.iterdir()):
        is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
        if is_module and path.stem in libraries:
            yield Finding(FAULT, f"{path.name} hides the library of that name. Rename it.")
