"""Draws the README's two pictures from the demo: `make pictures` writes them into docs/."""

from pathlib import Path

from evaluation.crossval.contenders import BASELINES, SHIPPED
from evaluation.crossval.fast import Settings
from evaluation.crossval.run import run
from evaluation.crossval.workers import Workers
from evaluation.report.figures import save_png
from evaluation.report.score_pictures import draw_intervals, forest_size
from main import RESOURCES
from perturbation.data.dataset import open_dataset
from tools.explore.look import look_at
from tools.explore.pictures import clustered_effects, draw_effects, heat_size

HOME = RESOURCES.parent
DEMO, DOCS = HOME / "data" / "demo", HOME / "docs"


def draw_pictures(docs: Path = DOCS) -> None:
    """Write data.png, the effects of the demo, and report.png, what its cross-validation says."""
    effects = clustered_effects(look_at(open_dataset(DEMO)))
    save_png(draw_effects(effects), docs / "data.png", heat_size(effects))
    finished = run(DEMO, RESOURCES, Settings((SHIPPED, *BASELINES), 5, 3), Workers())
    found = [c for c in finished.comparisons if c.difference]
    save_png(draw_intervals(found, "difference"), docs / "report.png", forest_size(len(BASELINES)))


if __name__ == "__main__":
    draw_pictures()
