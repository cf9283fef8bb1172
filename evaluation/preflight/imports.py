"""Which files and which installed packages main.py imports, found without running anything."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

from perturbation.errors import InputError, reason

GUARDS = re.compile(r"\b(ImportError|ModuleNotFoundError|Exception|BaseException)\b")
UNSEEN = re.compile(r"(typing\.)?TYPE_CHECKING|__name__ == '__main__'")
"""Conditions that never hold when the platform imports main.py."""


def follow_imports(main_file: Path) -> tuple[dict[str, str], set[Path]]:
    """Follow the imports of a file through the modules that stand beside it.

    What nobody misses does not count: imports that only type checkers see (``if TYPE_CHECKING:``),
    that only a program runs (``if __name__ == "__main__":``), or in a ``try`` that catches their
    failure.

    Parameters
    ----------
    main_file
        main.py; its directory is where its own modules are looked for.

    Returns
    -------
    packages
        From the name of an installed package, as imported, to the place that imports it.
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
    waiting = {main_file}
    while waiting:
        file = waiting.pop()
        files.add(file)
        try:
            imported = list(_imported_modules(file, root))
        except (OSError, SyntaxError, ValueError, ImportError) as error:
            raise InputError(
                f"{file}: Python cannot read it ({reason(error)}). Mend it."
            ) from error
        for module, line in imported:
            own = _own_files(root, module)
            waiting |= own - files
            top = module.partition(".")[0]
            if not own and top not in sys.stdlib_module_names:
                packages.setdefault(top, f"{file.relative_to(root)}, line {line}")
    return packages, files


def _imported_modules(file: Path, root: Path) -> Iterator[tuple[str, int]]:
    """Yield the dotted name and the line of every import; for `from a import b` it is a.b."""
    package = ".".join(file.relative_to(root).parent.parts)
    waiting: list[ast.AST] = [ast.parse(file.read_bytes())]  # bytes: Python's own decoding
    while waiting:
        node = waiting.pop()
        optional = _optional_part(node)
        waiting += [part for part in ast.iter_child_nodes(node) if part not in optional]
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def _optional_part(block: ast.AST) -> list[ast.stmt]:
    """Return the statements of a block that may fail or be left out in the cloud."""
    if isinstance(block, ast.If) and UNSEEN.fullmatch(ast.unparse(block.test)):
        return block.body
    if isinstance(block, ast.Try):
        for handler in block.handlers:
            caught = ast.unparse(handler.type) if handler.type else "Exception"
            raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
            if GUARDS.search(caught) and not raises:
                return block.body
    return []


def _own_files(root: Path, module: str) -> set[Path]:
    """Files beside main.py that importing `module` runs: packages on the way, then itself."""
    parts = module.split(".")
    paths = [root.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
    places = [place for path in paths for place in (path.with_suffix(".py"), path / "__init__.py")]
    return {place for place in places if place.is_file()}
