"""Scores of a fold: every answer, on every held-out perturbation and panel."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin

from evaluation.crossval.folds import SEED, Fold, SharedData
from evaluation.local.answers import Answer
from evaluation.scoring.metrics import l1_distance, mmd, pearson_delta
from evaluation.scoring.panels import draw_panels
from perturbation.competition import PROGRAM_FLAGS, PROGRAMS
from perturbation.data.summary import Summary


class Example(NamedTuple):
    """A held-out knock-out in the first repeat and on its first panel.

    Attributes
    ----------
    effects
        (n_genes, 1 + n_contenders) delta_from_perturbed, log2(1 + counts per 100,000); columns
        "true" and every contender.
    cells
        One row a cell: of ("true" or a contender), x, y (its place along the first two principal
        components of the true cells) and program (whose mean control cell is nearest).
    """

    effects: pd.DataFrame
    cells: pd.DataFrame


class Scored(NamedTuple):
    """Scores, and from a perturbation to what a page shows of it in the first repeat."""

    scores: pd.DataFrame
    examples: dict[str, Example]


def score(
    shared: SharedData, training: Summary, fold: Fold, answers: Mapping[str, Answer]
) -> Scored:
    """Score every answer on every held-out perturbation and panel, one row each.

    Parameters
    ----------
    shared
        Holds the truth.
    training
        The fold's training part: panels and the perturbed centroid are its.
    fold
        Who is held out.
    answers
        By contender, the reference first.
    """
    truth = shared.truth
    rng = np.random.default_rng([SEED, fold.repeat, fold.number])
    drawn = draw_panels(training.cells, truth.columns, shared.settings.panel, rng)
    panels = [np.searchsorted(truth.columns, panel) for panel in drawn]
    centre = training.training.perturbed_centroid[truth.columns]
    programs = training.training.program_centroids.loc[list(PROGRAMS)].iloc[:, drawn[0]]
    rows, examples = [], {}
    all_cells = (cells for cells, _ in answers.values())
    for name, *predictions in zip(fold.held_out, *all_cells, strict=True):
        true, mean = truth.cells_of(name), truth.centroids.loc[[name]]
        is_other = mean.columns != name
        for (contender, (_, proportions)), cells in zip(answers.items(), predictions, strict=True):
            shares = proportions.loc[name, list(PROGRAM_FLAGS)].to_dict()
            of_all = {"perturbation": name, "contender": contender, **shares}
            of_all["l1"] = l1_distance(truth.proportions.loc[name], shares)
            arrays = (true, mean.to_numpy(), cells, centre, is_other)
            for draw, panel in enumerate(panels):
                on_panel = _score_one(*(array[..., panel] for array in arrays))
                rows.append(of_all | {"draw": draw} | on_panel)
        if shared.settings.pictures and fold.repeat == 0:
            seen = dict(zip(("true", *answers), (true, *predictions), strict=True))
            seen = {of: cells[:, panels[0]] for of, cells in seen.items()}
            at = centre[panels[0]]
            examples[name] = example_of(seen, mean.iloc[0, panels[0]], at, programs)
    return Scored(pd.DataFrame(rows).assign(repeat=fold.repeat, fold=fold.number), examples)


def _score_one(
    true: np.ndarray, mean: np.ndarray, cells: np.ndarray, centre: np.ndarray, is_other: np.ndarray
) -> dict[str, float]:
    """Scores on a panel, and what the report shows beside: lengths, and all but the own gene."""
    others = (rows[..., is_other] for rows in (mean, cells, centre))
    return {
        "pearson_delta": pearson_delta(mean, cells, centre),
        "pearson_without_own": pearson_delta(*others),
        "mmd": mmd(true, cells),
        "true_length": float(np.linalg.norm(mean - centre)),
        "predicted_length": float(np.linalg.norm(cells.mean(axis=0, dtype=np.float64) - centre)),
    }


def example_of(
    cells: Mapping[str, np.ndarray],
    mean: pd.Series,
    centre: np.ndarray,
    program_centroids: pd.DataFrame,
) -> Example:
    """Look at one knock-out on one panel.

    Parameters
    ----------
    cells
        "true" and every contender: (n, n_genes).
    mean
        (n_genes,) true centroid by gene.
    centre
        (n_genes,) perturbed centroid of the training cells.
    program_centroids
        (n_programs, n_genes).
    """
    deltas = {of: rows.mean(axis=0, dtype=np.float64) - centre for of, rows in cells.items()}
    deltas["true"] = mean.to_numpy() - centre
    axes = PCA(2, svd_solver="full").fit(cells["true"])
    places = []
    for of, rows in cells.items():
        nearest = pairwise_distances_argmin(rows, program_centroids.to_numpy())
        place = pd.DataFrame(axes.transform(rows), columns=["x", "y"])
        places.append(place.assign(of=of, program=program_centroids.index[nearest]))
    return Example(pd.DataFrame(deltas, index=mean.index), pd.concat(places, ignore_index=True))


def together(folds: Iterable[Scored]) -> Scored:
    """Put the scores of all folds together, in an order that does not depend on theirs."""
    frames, examples = zip(*folds, strict=True)
    scores = pd.concat(frames)
    scores["contender"] = pd.Categorical(scores["contender"], scores["contender"].unique())
    keys = ["repeat", "fold", "perturbation", "contender", "draw"]
    of_all = {name: example for found in examples for name, example in found.items()}
    return Scored(scores.sort_values(keys, ignore_index=True), of_all)
