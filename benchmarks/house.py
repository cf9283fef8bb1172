"""How big the house is: files, lines of code, lengths of functions and comments of each package.

    python -m benchmarks.house [--at REVISION]

Reads what git has committed, so that two revisions compare. A line of code is neither blank nor
comment nor docstring; a function is measured with its docstring; the share of comments is that of
lines with nothing but a comment among those with code or comment.
"""

import ast
import io
import subprocess
import tarfile

import pandas as pd

from evaluation.command import HOME, command_parser

APART = ("tests", "examples")


def measure(name: str, text: str) -> dict[str, object]:
    """Count the lines of one file: all, code, comments, and those of each function."""
    nodes, lines = list(ast.walk(ast.parse(text))), text.splitlines()
    of_docstrings = {
        line
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    others = [line.strip() for i, line in enumerate(lines, 1) if i not in of_docstrings]
    comments = sum(line.startswith("#") for line in others)
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    return {
        "package": name.partition("/")[0] if "/" in name else "main.py, local_test.py",
        "lines": len(lines),
        "code": sum(map(bool, others)) - comments,
        "comments": comments,
        "lengths": [(node.end_lineno or 0) - node.lineno + 1 for node in functions],
    }


def files_at(revision: str) -> pd.DataFrame:
    """Measure every Python file that git has at a revision."""
    command = ["git", "archive", "--format=tar", revision]
    archive = subprocess.run(command, cwd=HOME, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        texts = {m.name: files.extractfile(m) for m in files if m.name.endswith(".py")}
        return pd.DataFrame(
            [measure(name, file.read().decode()) for name, file in texts.items() if file]
        )


def table(files: pd.DataFrame) -> pd.DataFrame:
    """One row a package, and one for all outside tests and examples."""
    counted = files[~files["package"].isin(APART)]
    files = pd.concat([files, counted.assign(package=f"total but {' and '.join(APART)}")])
    of_package = files.groupby("package")
    lengths = files.explode("lengths").astype({"lengths": float}).groupby("package")["lengths"]
    sums = of_package[["lines", "code", "comments"]].sum()
    return sums.assign(
        comments=(sums["comments"] / (sums["code"] + sums["comments"]).clip(1)).round(3),
        files=of_package.size(),
        largest=of_package["lines"].max(),
        median_function=lengths.median(),
        function_90_percent=lengths.quantile(0.9),
    )


if __name__ == "__main__":
    parser = command_parser(__doc__)
    parser.add_argument("--at", default="HEAD", metavar="REVISION", help="default: HEAD")
    print(table(files_at(parser.parse_args().at)).to_string())
