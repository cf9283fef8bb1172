"""How big the house is: files, lines of code, lengths of functions and comments of each package.

    python -m benchmarks.house [--at REVISION]

Reads what git has committed, so that two revisions compare. A line of code is neither blank nor
comment nor docstring; a function is measured with its docstring; the share of comments is that of
lines with nothing but a comment among those with code or comment.
"""

import argparse
import ast
import io
import subprocess
import tarfile
import tokenize
from collections import defaultdict
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from evaluation.tables import aligned

ROOT = Path(__file__).resolve().parent.parent
APART = {"tests", "examples"}
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
TITLES = ["", "files", "lines", "code", "function: median", "90 %", "comments", "largest file"]


class Measured(NamedTuple):
    """One file: its lines, how many are code or comment, and the length of each function."""

    lines: int
    code: int
    comments: int
    functions: list[int]


def measure(text: str) -> Measured:
    """Count the lines of one file."""
    code, comments = set[int](), set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        lines = range(token.start[0], token.end[0] + 1)
        if token.type not in LAYOUT:
            (comments if token.type == tokenize.COMMENT else code).update(lines)
    functions = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            code -= set(range(node.lineno, (node.end_lineno or 0) + 1))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append((node.end_lineno or 0) - node.lineno + 1)
    return Measured(len(text.splitlines()), len(code), len(comments - code), functions)


def packages_at(revision: str) -> dict[str, list[Measured]]:
    """Measure every Python file that git has at a revision, by top-level directory."""
    command = ["git", "archive", "--format=tar", revision]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    packages = defaultdict(list)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            path, content = PurePath(member.name), files.extractfile(member)
            if path.suffix == ".py" and content:
                package = path.parts[0] if len(path.parts) > 1 else "main.py, local_test.py"
                packages[package].append(measure(content.read().decode()))
    return packages


def row(name: str, files: list[Measured]) -> list[str]:
    """Figures of some files as cells of a table."""
    lines, code, comments = np.sum([file[:3] for file in files], axis=0)
    lengths = [length for file in files for length in file.functions] or [0]
    median, high = np.percentile(lengths, [50, 90])
    share = comments / max(code + comments, 1)
    counts = [f"{n:,}" for n in (len(files), lines, code)]
    return [name, *counts, f"{median:.0f}", f"{high:.0f}", f"{share:.1%}", f"{max(files).lines}"]


def main(revision: str) -> None:
    """Print one row a package, and one for all outside tests and examples."""
    packages = packages_at(revision)
    counted = [file for name, files in packages.items() if name not in APART for file in files]
    rows = [row(name, files) for name, files in sorted(packages.items())]
    print(aligned(TITLES, [*rows, row(f"all but {' and '.join(sorted(APART))}", counted)]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--at", default="HEAD", metavar="REVISION", help="default: HEAD")
    main(parser.parse_args().at)
