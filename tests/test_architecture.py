"""Which package may import which, and that no module imports itself by a detour."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLATFORM = {"anndata", "h5py", "numpy", "pandas", "psutil", "scanpy", "scipy", "tqdm"}
"""What requirements.txt names, but the client: perturbation/ and main.py run on nothing else."""

MAY_IMPORT = {
    "perturbation": set(),
    "main": {"perturbation"},
    "evaluation": {"main", "perturbation"},
    "local_test": {"evaluation", "main", "perturbation"},
    "tools": {"evaluation", "main", "perturbation"},
    "simulation": {"perturbation", "tools.competition_layout"},
}
"""Beside itself. examples/, benchmarks/ and tests/ may import anything; nobody imports them."""

ROOMS = {*MAY_IMPORT, "benchmarks", "examples", "tests"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for room in ROOMS for path in (ROOT / room).rglob("*.py")}
FILES |= {room: ROOT / f"{room}.py" for room in ROOMS if (ROOT / f"{room}.py").is_file()}


def imports_of(name: str) -> set[str]:
    """Modules that a module imports when it runs, at its top or within a function."""
    found = set()
    for node in when_it_runs(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports by dots"
            within = {f"{node.module}.{alias.name}" for alias in node.names} & set(FILES)
            found |= within or {node.module}
    return found


def when_it_runs(node: ast.AST):
    """Walk all nodes, but not what stands under `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from when_it_runs(child)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(room):
    modules = {name: path for name, path in FILES.items() if name.split(".")[0] == room}
    assert modules
    allowed = {room, *MAY_IMPORT[room]}
    for module in modules:
        ours = {name for name in imports_of(module) if name.split(".")[0] in ROOMS}
        wrong = {name for name in ours if not {name, name.split(".")[0]} & allowed}
        assert not wrong, f"{module} may not import {', '.join(sorted(wrong))}"


def test_what_runs_on_the_platform_imports_only_what_is_there():
    for module in FILES:
        if module.split(".")[0] in ("main", "perturbation"):
            tops = {name.split(".")[0] for name in imports_of(module)}
            wrong = tops - PLATFORM - set(sys.stdlib_module_names) - {"perturbation"}
            assert not wrong, f"{module} imports {', '.join(sorted(wrong))}"


def test_no_module_imports_itself_by_a_detour():
    graph = {name: imports_of(name) & set(FILES) for name in FILES}
    assert len(tuple(TopologicalSorter(graph).static_order())) == len(FILES)
