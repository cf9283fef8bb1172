import shutil

import nbformat
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOK = ROOT / "notebooks" / "tour.ipynb"
LEFT_OUT = (
    ".git",
    ".venv",
    "tests",
    "prediction",
    "local_run",
    "__pycache__",
    ".*_cache",
)


def test_the_tour_runs_from_first_to_last_cell(tmp_path):
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns(*LEFT_OUT))
    notebook = nbformat.read(copy / "notebooks" / "tour.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": copy / "notebooks"}}
    ).execute()
    text = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    assert "The platform would accept this submission." in text
    assert "half_way:HalfWay" in text


def test_the_tour_is_committed_in_twelve_cells_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert len(cells) == 12
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
