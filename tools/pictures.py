"""Draws the pictures of README and RESULTS from the demo: `make pictures` writes them to docs/."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from evaluation.command import HOME, RESOURCES
from evaluation.crossval.contenders import SHIPPED
from evaluation.crossval.fast import run
from evaluation.crossval.folds import Settings
from evaluation.report.figures import Picture
from evaluation.report.pictures import forest
from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import Summary
from perturbation.model.cells import choose_cells, herded
from tools.explore.look import look_at
from tools.explore.pictures import heat_map

DEMO = HOME / "data" / "demo"


def moved_cells(summary: Summary) -> Picture:
    """Draw two axes of the cells, and how far each herded cell is moved."""
    perturbed = np.flatnonzero(summary.cell_labels != CONTROL_LABEL)
    start = summary.cells[herded(summary.cells, perturbed, CELLS_PER_PERTURBATION)].toarray()
    real, moved = summary.cells[perturbed].toarray(), choose_cells(summary)
    axes = PCA(2, random_state=0).fit(real)
    (x, y), (from_x, from_y), (to_x, to_y) = (axes.transform(of).T for of in (real, start, moved))

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.scatter(x, y, 6, color="C7", alpha=0.4, label="real cells")
        ax.plot([from_x, to_x], [from_y, to_y], color="C0", linewidth=0.8)
        ax.scatter(to_x, to_y, 12, color="C0", label="moved, and their ways")
        ax.set(xlabel="first axis of the cells", ylabel="second axis")
        figure.legend(loc="outside lower left", ncols=2)

    return Picture(draw, "Cells and where they are moved", "")


def main(docs: Path = HOME / "docs") -> None:
    """Write data.png, effects; report.png, a cross-validation; moved.png, the cells that ship."""
    look = look_at(open_dataset(DEMO))
    moved_cells(look.summary).save_png(docs / "moved.png")
    heat_map(look).save_png(docs / "data.png")
    result = run(DEMO, RESOURCES, (SHIPPED,), Settings(5, 3))
    forest(result.comparisons).save_png(docs / "report.png")


if __name__ == "__main__":
    main()
