"""Work goes on in a notebook, without standard error, and where output cannot go as it is."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

STAGES = """
import main
main.train(data, resources)
main.infer(None, None, f"{out}/p.h5ad", f"{out}/p.csv", resources, ["NEW"], ["GENE00001"])
"""
CROSS_VALIDATION = """
import local_test
assert local_test.main(["--cv", "2", "--repeats", "1", "--data", data, "--model", resources]) == 0
"""
ODD_STREAMS = """
import sys
class Log:
    def write(self, text): pass
    def flush(self): pass
closed = open(sys.argv[1])
closed.close()
for stream in (None, closed, Log()):
    sys.stderr = stream
"""


@pytest.fixture
def places(competition, model_directory, tmp_path):
    """Return Python that names where to read and write, for code in another process."""
    (tmp_path / "gene_features.npz").symlink_to(model_directory / "gene_features.npz")
    return f"data, resources, out = {str(competition)!r}, {str(tmp_path)!r}, {str(tmp_path)!r}\n"


def test_train_infer_and_cross_validation_run_in_a_notebook_with_widgets(places, tmp_path):
    import ipywidgets

    assert ipywidgets.IntProgress  # tqdm.auto would draw with it
    cells = [nbformat.v4.new_code_cell(code) for code in (places + STAGES, CROSS_VALIDATION)]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, resources={"metadata": {"path": str(ROOT)}}, timeout=120).execute()
    assert (tmp_path / "p.h5ad").exists()
    printed = "".join(output.get("text", "") for cell in book.cells for output in cell.outputs)
    assert "reading cells: 100%" in printed
    assert "Pearson delta" in printed


def test_train_and_infer_run_without_a_usable_standard_error(places, tmp_path):
    indented = "".join(f"    {line}\n" for line in (places + STAGES).splitlines())
    code = [sys.executable, "-c", ODD_STREAMS + indented, ROOT / "main.py"]
    subprocess.run(code, cwd=ROOT, check=True)
    assert (tmp_path / "p.h5ad").exists()


def run_local_test(end, competition, model_directory, tmp_path):
    """Run it in a shell with `end` behind the command; return the finished process."""
    command = f"set -o pipefail; {sys.executable} local_test.py --data {competition} "
    command += f"--model {model_directory} --out {tmp_path / 'out'} --skip-train {end}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )


def test_without_standard_error_and_beyond_ascii_question_marks_are_printed(
    competition, model_directory, tmp_path
):
    done = run_local_test("2>&-", competition, model_directory, tmp_path)
    assert done.returncode == 0
    assert "Mean ? standard error" in done.stdout


def test_a_reader_who_goes_away_ends_the_run_quietly(competition, model_directory, tmp_path):
    done = run_local_test("| true", competition, model_directory, tmp_path)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_told_in_a_sentence():
    code = "import sys; from evaluation.command import ending; sys.exit(ending(lambda: print('x')))"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Nothing can be written (No space left on device)")
    assert len(done.stderr.splitlines()) == 1
