"""Other cells and other proportions under the centroids that ship, to be scored beside them."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

import main
from evaluation.crossval.contenders import control_proportions, mean_proportions
from evaluation.local.answers import Answer
from evaluation.local.truth import LocalTruth
from evaluation.scoring.metrics import l1_distance
from perturbation.competition import (
    CELLS_PER_PERTURBATION,
    CONTROL_LABEL,
    PROGRAM_FLAGS,
    PROGRAMS,
)
from perturbation.data.centroids import TrainingCentroids
from perturbation.data.summary import Summary
from perturbation.model.cells import herded
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import Cells, Predictor

RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""In units of the mean squared length of the training effects."""


def other_answers(
    summary: Summary,
    first: sparse.csr_array,
    truth: LocalTruth,
    gene_features: GeneFeatures,
    rng: np.random.Generator,
) -> Iterator[tuple[str, str, Answer]]:
    """Yield the metric that a way is about, its name and its answer for the local ground truth.

    Parameters
    ----------
    summary
        Of the training cells.
    first
        (n, n_genes) the first 100 cells of each knock-out.
    """
    asked = truth.perturbations, truth.genes
    ways: dict[str, Cells] = {
        "random cells": partial(_random, rng=rng),
        "herded, not moved": _herded,
        "herded like the first 100 of each knock-out": lambda _: _herded_of(first),
        "herded program by program": _by_program,
    }
    for name, cells in ways.items():
        model = main.fit(summary, gene_features, cells=cells)
        yield "mmd", name, _answer(truth, *main.predict(model, gene_features, *asked))
    model = main.fit(summary, gene_features)
    yield (
        "mmd",
        "cells scaled, not shifted",
        _scaled(_answer(truth, *main.predict(model, gene_features, *asked))),
    )
    for name, proportions in {
        "the controls'": control_proportions,
        "the training mean": mean_proportions,
        "the training median": _median,
        "the median and what the predicted effect tells": _read_off,
    }.items():
        predicted = main.predict(model, gene_features, *asked, proportions=proportions)
        yield "l1", name, _answer(truth, *predicted)


def _answer(truth: LocalTruth, cells: Iterator[np.ndarray], proportions: pd.DataFrame) -> Answer:
    of = dict(zip(truth.perturbations, (block.copy() for block in cells), strict=True))
    return Answer(of.__getitem__, proportions)


def _perturbed(summary: Summary) -> np.ndarray:
    return np.flatnonzero(summary.cell_labels != CONTROL_LABEL)


def _random(summary: Summary, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.choice(_perturbed(summary), CELLS_PER_PERTURBATION, replace=False)
    return summary.cells[drawn].toarray()


def _herded(summary: Summary) -> np.ndarray:
    return _herded_of(summary.cells[_perturbed(summary)])


def _herded_of(cells: sparse.csr_array) -> np.ndarray:
    return cells[herded(cells, np.arange(cells.shape[0]), CELLS_PER_PERTURBATION)].toarray()


def _by_program(summary: Summary) -> np.ndarray:
    """Herd within each program, in the mean share of it; every prefix is balanced."""
    candidates = _perturbed(summary)
    shares = summary.training.proportions.drop(index=CONTROL_LABEL)[list(PROGRAMS)].mean()
    flags = summary.cell_programs.iloc[candidates]
    chosen, places = [], []
    for program, share in shares.items():
        of_program = candidates[flags[program].to_numpy(bool)]
        if n := min(round(share * CELLS_PER_PERTURBATION), len(of_program)):
            chosen.append(herded(summary.cells, of_program, n))
            places.append((np.arange(n) + 0.5) / n)
    rows = np.concatenate(chosen)[np.argsort(np.concatenate(places), kind="stable")]
    return summary.cells[np.resize(rows, CELLS_PER_PERTURBATION)].toarray()


def _scaled(answer: Answer) -> Answer:
    """Multiply each gene where it was shifted; one that is 0 in all cells gets the mean itself."""
    names = answer.proportions.index
    first = answer.cells_of(names[0])
    mean = first.mean(axis=0, dtype=np.float64)
    units = np.where(mean > 0, first / np.where(mean > 0, mean, 1), 1)
    return Answer(
        lambda name: units * answer.cells_of(name).mean(axis=0, dtype=np.float64),
        answer.proportions,
    )


def _median(
    training: TrainingCentroids,
    gene_features: GeneFeatures | None,
    predictor: Predictor,
    perturbations: Sequence[str],
) -> pd.DataFrame:
    median = training.proportions.drop(index=CONTROL_LABEL)[list(PROGRAM_FLAGS)].median()
    return _valid(np.tile(median, (len(perturbations), 1)), list(perturbations))


def _read_off(
    training: TrainingCentroids,
    gene_features: GeneFeatures | None,
    predictor: Predictor,
    perturbations: Sequence[str],
) -> pd.DataFrame:
    """Ridge regression of deviations from the median on the effects, applied to predicted effects.

    The ridge is that with the smallest L1 for training knock-outs left out one at a time.
    """
    flags, centre = list(PROGRAM_FLAGS), training.perturbed_centroid
    centroids = training.perturbation_centroids
    true = training.proportions.loc[centroids.index, flags]
    median = true.median().to_numpy()
    residuals = true.to_numpy() - median
    effects = centroids.to_numpy() - centre
    gram = effects @ effects.T
    best = np.inf
    for ridge in RIDGES:
        inverse = np.linalg.inv(gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram)))
        left_out = residuals - inverse @ residuals / np.diag(inverse)[:, None]
        guesses = _valid(median + left_out, list(true.index))
        pairs = zip(true.iterrows(), guesses.iterrows(), strict=True)
        loss = float(np.mean([l1_distance(a, b) for (_, a), (_, b) in pairs]))
        if loss < best:
            best, coefficients = loss, inverse @ residuals
    similarity = (predictor.predict(perturbations) - centre) @ effects.T
    return _valid(median + similarity @ coefficients, list(perturbations))


def _valid(values: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Programs that sum to 1, and lipo a part of adipo."""
    table = pd.DataFrame(values, index=names, columns=list(PROGRAM_FLAGS)).clip(lower=0)
    table[list(PROGRAMS)] = table[list(PROGRAMS)].div(table[list(PROGRAMS)].sum(axis=1), axis=0)
    return table.assign(lipo=np.minimum(table["lipo"], table["adipo"]))
