"""Which files and which installed packages main.py imports, found without running anything."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from perturbation.errors import InputError, reason

GUARDS = re.compile(r"\b(ImportError|ModuleNotFoundError|Exception|BaseException)\b")


def follow_imports(main_file: Path) -> tuple[dict[str, str], set[Path]]:
    """Follow the imports of a file through the modules that stand beside it.

    What nobody misses does not count: imports that only type checkers see (``if TYPE_CHECKING:``),
    that only a program runs (``if __name__ == "__main__":``), or whose failure is caught.

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
    InputError
        If one of the files is missing or is not Python.
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


def _imported_modules(file: Path, root: Path) -> Iterator[tuple[str, int]]:
    """Yield the dotted name and the line of every import; for `from a import b`, a and a.b."""
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))  # bytes: Python's own decoding
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{file}: Python cannot read it ({reason(error)}). Mend it.") from error
    missed_by_nobody = {
        id(node)
        for block in ast.walk(tree)
        for statement in _optional_part(block)
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in missed_by_nobody:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, file, root)
            yield module, node.lineno
            if _own_files(root, module):
                yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def _optional_part(block: ast.AST) -> list[ast.stmt]:
    """Return the statements of a block that may fail or be left out in the cloud."""
    if isinstance(block, ast.If):
        test = ast.unparse(block.test)
        if test.endswith("TYPE_CHECKING") or test == "__name__ == '__main__'":
            return block.body
    elif isinstance(block, ast.With):
        managers = " ".join(ast.unparse(item) for item in block.items)
        if "suppress(" in managers and GUARDS.search(managers):
            return block.body
    elif isinstance(block, ast.Try):
        for handler in block.handlers:
            caught = ast.unparse(handler.type) if handler.type else "Exception"
            raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
            if GUARDS.search(caught) and not raises:
                return block.body
    return []


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
