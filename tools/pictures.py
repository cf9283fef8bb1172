"""Draws the pictures of README and RESULTS from the demo: `make pictures` writes them to docs/."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from evaluation.command import HOME, RESOURCES
from evaluation.crossval.baselines import BASELINES
from evaluation.crossval.contenders import SHIPPED
from evaluation.crossval.folds import Settings
from evaluation.crossval.run import run
from evaluation.crossval.workers import Workers
from evaluation.report.figures import NARROW, legend_below, save_png
from evaluation.report.score_pictures import draw_differences, forest_size
from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.model.cells import choose_cells, herded
from tools.explore.look import look_at
from tools.explore.pictures import clustered_effects, draw_effects, heat_size

DEMO, DOCS = HOME / "data" / "demo", HOME / "docs"


def draw_moved(figure: Figure) -> None:
    """Two axes of the demo's cells, and how far each herded cell is moved."""
    summary = summarise(open_dataset(DEMO))
    perturbed = np.flatnonzero(summary.cell_labels != CONTROL_LABEL)
    real, moved = summary.cells[perturbed].toarray(), choose_cells(summary)
    start = summary.cells[herded(summary.cells, perturbed, CELLS_PER_PERTURBATION)].toarray()
    axes = PCA(2, random_state=0).fit(real)
    ax = figure.subplots()
    (x, y), (to_x, to_y) = axes.transform(real).T, axes.transform(moved).T
    ax.scatter(x, y, 6, color="C7", alpha=0.4, label="real cells")
    x, y = axes.transform(start).T
    ax.plot([x, to_x], [y, to_y], color="C0", linewidth=0.8)
    ax.scatter(to_x, to_y, 12, color="C0", label="moved, and their ways")
    ax.set(xlabel="first axis of the cells", ylabel="second axis")
    legend_below(figure, ax)


def draw_pictures(docs: Path = DOCS) -> None:
    """Write data.png, effects; report.png, a cross-validation; moved.png, the cells that ship."""
    save_png(draw_moved, docs / "moved.png", NARROW)
    effects = clustered_effects(look_at(open_dataset(DEMO)))
    save_png(draw_effects(effects), docs / "data.png", heat_size(effects))
    finished = run(DEMO, RESOURCES, (SHIPPED,), Settings(5, 3), Workers())
    found = [c for c in finished.comparisons if c.difference]
    save_png(draw_differences(found), docs / "report.png", forest_size(len(BASELINES)))


if __name__ == "__main__":
    draw_pictures()
