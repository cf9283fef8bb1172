"""Which files and which installed packages main.py imports, found without running anything."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path


def follow_imports(main_file: Path) -> tuple[dict[str, str], set[Path]]:
    """Follow the imports of a file through the modules that stand beside it.

    Imports that only type checkers see (``if TYPE_CHECKING:``) do not count.

    Parameters
    ----------
    main_file
        main.py; its directory is where its own modules are looked for.

    Returns
    -------
    packages
        From the name of an installed package, as imported, to the first place that imports it.
    files
        main.py and all of its own modules that are reached.

    Raises
    ------
    SyntaxError
        If one of the files is not Python.
    """
    root = main_file.parent
    packages: dict[str, str] = {}
    files: set[Path] = set()
    waiting = [main_file]
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files.add(file)
        for module, line in _imported_modules(file, root):
            own = _own_files(root, module)
            waiting.extend(own)
            top = module.partition(".")[0]
            if not own and top not in sys.stdlib_module_names:
                packages.setdefault(top, f"{file.relative_to(root)}, line {line}")
    return packages, files


def distribution_of(package: str) -> str:
    """Return what is installed under another name than imported: sklearn is scikit-learn."""
    return _distributions().get(package, [package])[0]


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _imported_modules(file: Path, root: Path) -> Iterator[tuple[str, int]]:
    """Yield the dotted name and the line of every import; for `from a import b`, a and a.b."""
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    hidden = {id(node) for block in ast.walk(tree) for node in _only_for_type_checkers(block)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, file, root)
            yield module, node.lineno
            if _own_files(root, module):
                yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def _only_for_type_checkers(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for statement in node.body:
            yield from ast.walk(statement)


def _absolute(node: ast.ImportFrom, file: Path, root: Path) -> str:
    """Return the full name of the module in `from .module import name`."""
    if not node.level:
        return node.module or ""
    package = file.parent.relative_to(root).parts[: 1 - node.level or None]
    return ".".join([*package, *([node.module] if node.module else [])])


def _own_files(root: Path, module: str) -> list[Path]:
    """Files beside main.py that importing `module` runs: packages on the way, then itself."""
    parts = module.split(".")
    found = []
    for length in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:length])
        own = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
        if not own and not path.is_dir():
            break
        found.extend(own)
    return found
