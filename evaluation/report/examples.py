"""A closer look at the best, the median and the worst knock-out of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluation.crossval.comparison import by_perturbation
from evaluation.crossval.fast import FoldAnswers, Material, all_folds, predict_fold
from evaluation.report.figures import name_points, picture
from evaluation.scoring.metrics import mmd, pearson_delta
from perturbation.competition import PROGRAMS

N_NAMED = 10
RANKS = ("best", "median", "worst")


@dataclass(frozen=True)
class Example:
    """What every contender says of one knock-out, in the first repeat and on its first panel.

    Attributes
    ----------
    perturbation
        Its name.
    observed_delta
        (n_genes,) delta_from_perturbed by gene, log2(1 + counts per 100,000).
    predicted_delta
        The same of every contender.
    cells
        "true" and every contender: (n, n_genes) cells.
    program_centroids
        (3, n_genes) mean control cell of each program.
    scores
        Pearson delta and MMD of the shipped submission.
    """

    perturbation: str
    observed_delta: pd.Series
    predicted_delta: Mapping[str, np.ndarray]
    cells: Mapping[str, np.ndarray]
    program_centroids: pd.DataFrame
    scores: tuple[float, float]


def best_median_worst(scores: pd.DataFrame, look: Callable[[str], Example]) -> dict[str, Example]:
    """Return an example for each rank by the shipped submission's Pearson delta."""
    ranked = by_perturbation(scores)["pearson_delta"].iloc[:, 0].sort_values(ascending=False).index
    chosen = ranked[0], ranked[len(ranked) // 2], ranked[-1]
    return {rank: look(name) for rank, name in zip(RANKS, chosen, strict=True)}


def example(material: Material, perturbation: str) -> Example:
    """Predict once more the fold that held the perturbation out."""
    folds = all_folds(material.summary, material.settings)
    fold = next(fold for fold in folds if perturbation in fold.held_out)
    answers = predict_fold(material, material.summary.without(fold.held_out), fold)
    number, rows = fold.held_out.index(perturbation), {}
    for name, (blocks, _) in answers.of.items():
        rows[name] = next(block.copy() for i, block in enumerate(blocks) if i == number)
    return example_of(material, answers, perturbation, rows)


def example_of(
    material: Material,
    answers: FoldAnswers,
    perturbation: str,
    rows: Mapping[str, np.ndarray],
) -> Example:
    """Hold the cells predicted, (100, n_scored) by contender, against the true ones on a panel."""
    truth, panel = material.truth.of([perturbation]), answers.panels[0]
    here = np.searchsorted(truth.columns, panel)
    cells = {"true": truth.cells_of(perturbation)[:, here].astype(np.float64)}
    cells |= {name: of_one[:, here].astype(np.float64) for name, of_one in rows.items()}
    mean, centre = truth.centroids.iloc[:, here], answers.perturbed_centroid[panel]
    shipped = cells[next(iter(rows))]
    return Example(
        perturbation,
        mean.iloc[0] - centre,
        {name: cells[name].mean(axis=0) - centre for name in rows},
        cells,
        material.summary.training.program_centroids.loc[list(PROGRAMS)].iloc[:, panel],
        (pearson_delta(mean.to_numpy(), shipped, centre), mmd(cells["true"], shipped)),
    )


def effect_picture(rank: str, example: Example) -> str:
    """Draw predicted against observed effects of every contender, genes that move most named."""
    observed = example.observed_delta.to_numpy()
    shipped, first = next(iter(example.predicted_delta.items()))

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        for number, (name, delta) in reversed(list(enumerate(example.predicted_delta.items()))):
            style = {"alpha": 0.9, "s": 9} if number == 0 else {"alpha": 0.45, "s": 6}
            ax.scatter(
                observed, delta, color=f"C{number % 7}", label=name, lw=0, rasterized=True, **style
            )
        ax.set(xlabel="observed minus perturbed centroid", ylabel="predicted")
        figure.legend(
            *ax.get_legend_handles_labels(), loc="outside lower left", ncols=2, markerscale=2
        )
        name_points(ax, observed, first, list(example.observed_delta.index), moved)

    moved = np.argsort(-np.abs(observed))[:N_NAMED]
    right = int((np.sign(observed[moved]) == np.sign(first[moved])).sum())
    says = (
        f"{rank.capitalize()}: {example.perturbation}, Pearson delta {example.scores[0]:.3f}. Of "
        f"the {len(moved)} genes that move most, {shipped} has {right} on the right side of zero."
    )
    return picture(
        draw, f"Predicted against observed effect of {example.perturbation}", says, (4.2, 4.1)
    )


def cells_picture(rank: str, example: Example) -> str:
    """Draw true and predicted cells side by side, coloured by program, on one pair of axes."""
    centre = example.cells["true"].mean(axis=0)
    axes = np.linalg.svd(example.cells["true"] - centre, full_matrices=False)[2][:2]
    programs = {
        name: nearest_program(rows, example.program_centroids)
        for name, rows in example.cells.items()
    }
    names = list(example.cells)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(-(-len(names) // 3), 3, sharex=True, sharey=True, squeeze=False)
        for ax, name in zip(panels.flat, names, strict=False):
            for number, program in enumerate(PROGRAMS):
                x, y = axes @ (example.cells[name][programs[name] == program] - centre).T
                ax.scatter(x, y, 6, color=f"C{number}", label=program, lw=0)
            ax.set_title(name)
        for ax in panels.flat[len(names) :]:
            ax.remove()
        figure.legend(
            *panels[0, 0].get_legend_handles_labels(),
            loc="outside lower left",
            ncols=3,
            markerscale=2,
        )

    shares = {name: [np.mean(programs[name] == p) for p in PROGRAMS] for name in names[:2]}
    told = "; ".join(
        f"{name} {', '.join(f'{s:.0%} {p}' for s, p in zip(shares[name], PROGRAMS, strict=True))}"
        for name in shares
    )
    says = (
        f"{rank.capitalize()}: {example.perturbation}, MMD {example.scores[1]:.4f}, on the first "
        "two components of the true cells. A cell has the colour of the nearest program's mean "
        f"control cell: {told}."
    )
    height = 1.9 * -(-len(names) // 3) + 0.4
    return picture(draw, f"True and predicted cells of {example.perturbation}", says, (5.6, height))


def nearest_program(cells: np.ndarray, program_centroids: pd.DataFrame) -> np.ndarray:
    """(n,) the program whose mean control cell is nearest to each cell."""
    centroids = program_centroids.to_numpy()
    distances = ((cells[:, None] - centroids) ** 2).sum(axis=2)
    return program_centroids.index.to_numpy()[distances.argmin(axis=1)]
