"""Clones that push takes or refuses, and the verdict that preflight must give on each."""

from evaluation.preflight.findings import FAULT, FINE, REFUSED, WARNING

PUSH_ALL = """
import json, os, sys
from click.testing import CliRunner
from crunch.cli import cli

def push(clone):
    os.chdir(clone)
    return CliRunner().invoke(cli, ["push", "--dry", "-m", "x"]).exit_code == 0

print(json.dumps([push(clone) for clone in sys.argv[1:]]))
"""
"""The client's own command line, in one process for all clones."""


def line(text):
    """Write it for numpy in requirements.txt."""

    def change(clone):
        file = clone / "requirements.txt"
        changed = file.read_text().replace("numpy>=1.26,<3", text)
        assert changed != file.read_text()
        file.write_text(changed)

    return change


def requirements(encode):
    """Write requirements.txt as bytes, made of its text."""

    def change(clone):
        file = clone / "requirements.txt"
        file.write_bytes(encode(file.read_text()))

    return change


def add(name, content=b"", before=b""):
    """Write or continue a file."""

    def change(clone):
        file = clone / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(before + (file.read_bytes() if file.exists() else b"") + content)

    return change


LINES = {
    'numpy>=1.26,<3 ; python_version >= "3.11"': REFUSED,
    "numpy=1.26": REFUSED,
    "numpy>=1.26.*": REFUSED,
    "numpy>=1.26 <3": REFUSED,
    "numpy~=2": REFUSED,
    "numpy>=1.26,<3 --no-binary numpy": REFUSED,
    "numpy>=1.26,<3 \\": REFUSED,
    "numpy @ https://example.org/numpy.whl": REFUSED,
    "https://example.org/numpy.whl": REFUSED,
    "./numpy.whl": REFUSED,
    "-r more.txt": REFUSED,
    "--index-url https://example.org/simple": REFUSED,
    "1numpy=": REFUSED,
    "numpy (>=1.26,<3)": FINE,
    "NumPy >= 1.26 , < 3  # arrays": FINE,
    "numpy~=2.0": FINE,
    "numpy>=1.26,<3,!=2.0.*": FINE,
    "numpy==2.0.1": FINE,
    "numpy": FINE,
    "numpy[extra]>=1.26": FINE,
    "\n  numpy>=1.26\n\n": FINE,
    "# numpy": FAULT,
}
PUSHED = {
    **{text: (line(text), verdict) for text, verdict in LINES.items()},
    "no requirements": (lambda clone: (clone / "requirements.txt").unlink(), REFUSED),
    "requirements ignored": (add(".gitignore", b"requirements.txt\n"), REFUSED),
    "requirements in UTF-16": (requirements(lambda text: text.encode("utf-16")), REFUSED),
    "requirements with a byte-order mark": (
        requirements(lambda text: text.encode("utf-8-sig")),
        REFUSED,
    ),
    "requirements in Latin-1": (add("requirements.txt", b"# na\xefve\n"), REFUSED),
    "requirements with CRLF": (requirements(lambda t: t.replace("\n", "\r\n").encode()), FINE),
    "a link to nowhere": (lambda clone: (clone / "gone.txt").symlink_to("nowhere"), REFUSED),
    "main.py with a byte-order mark": (add("main.py", before=b"\xef\xbb\xbf"), FINE),
    "Latin-1 in a comment": (add("main.py", b"# na\xefve\n"), FINE),
    "Latin-1 in a string": (add("main.py", b"WORD = 'na\xefve'\n"), FAULT),
    "a cut line": (add("main.py", b"def"), FAULT),
    "a folder named sklearn": (add("sklearn/__init__.py"), FAULT),
    "a file named types.py": (add("types.py"), FAULT),
    "a folder of notes named scanpy": (add("scanpy/notes.txt"), FINE),
    "an import that is not required": (add("main.py", b"import torch\n"), FAULT),
    "an optional import": (
        add("main.py", b"try:\n    import torch\nexcept ImportError:\n    torch = None\n"),
        FINE,
    ),
    "a 40 MB file": (add("stray.bin", b"0" * 40_000_000), WARNING),
}
