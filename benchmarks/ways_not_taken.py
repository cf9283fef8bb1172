"""Other cells and other proportions under the centroids that ship, to be scored beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.crossval.contenders import control_proportions, mean_proportions
from evaluation.crossval.folds import as_train_keeps
from evaluation.local.answers import Answer
from evaluation.local.truth import LocalTruth
from evaluation.scoring.metrics import l1_distance
from perturbation.competition import (
    CELLS_PER_PERTURBATION,
    CONTROL_LABEL,
    PROGRAM_FLAGS,
    PROGRAMS,
)
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import Summary, summarise
from perturbation.model.cells import BaseCells, choose_cells
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.predictors import shipped_predictor
from perturbation.model.programs import predict_proportions

RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""In units of the mean squared length of the training effects."""


def other_answers(
    data: Path, truth: LocalTruth, gene_features: GeneFeatures, rng: np.random.Generator
) -> Iterator[tuple[str, str, Answer]]:
    """Yield the metric that a way is about, its name and its answer for the local ground truth."""
    summary = summarise(open_dataset(data), first_cells=CELLS_PER_PERTURBATION)
    kept = as_train_keeps(summary)
    fitted = shipped_predictor().fit(
        kept.centroids, kept.n_cells, kept.control_centroid, gene_features
    )
    names = truth.perturbations
    predicted = pd.DataFrame(fitted.predict(names), index=names, columns=kept.genes)
    centroids = predicted[truth.genes]
    shipped = predict_proportions(kept.proportions, names, gene_features)
    for name, cells in _other_cells(summary, kept, truth.genes, rng):
        yield "mmd", name, _moved(BaseCells(cells), centroids, shipped)
    cells = _herded(kept, _perturbed(kept), truth.genes)
    yield "mmd", "cells scaled, not shifted", _scaled(cells, centroids, shipped)
    for name, proportions in (
        ("the controls'", control_proportions(kept.proportions, names, gene_features)),
        ("the training mean", mean_proportions(kept.proportions, names, gene_features)),
        ("the training median", _median(kept.proportions, names)),
        ("the median and what the predicted effect tells", _read_off(kept, predicted)),
    ):
        yield "l1", name, _moved(BaseCells(cells), centroids, proportions)


def _perturbed(summary: Summary) -> np.ndarray:
    return np.flatnonzero(summary.cell_labels != CONTROL_LABEL)


def _dense(summary: Summary, rows: np.ndarray, genes: list[str]) -> np.ndarray:
    return summary.cells[rows][:, pd.Index(summary.genes).get_indexer(genes)].toarray()


def _herded(summary: Summary, candidates: np.ndarray, genes: list[str]) -> np.ndarray:
    chosen = choose_cells(summary.cells, candidates, CELLS_PER_PERTURBATION)
    return _dense(summary, chosen, genes)


def _other_cells(
    summary: Summary, kept: Summary, genes: list[str], rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield cells (100, n_genes) chosen in other ways."""
    perturbed = _perturbed(kept)
    drawn = rng.choice(perturbed, CELLS_PER_PERTURBATION, replace=False)
    yield "random cells", _dense(kept, drawn, genes)
    controls = np.flatnonzero(kept.cell_labels == CONTROL_LABEL)
    yield "herded control cells", _herded(kept, controls, genes)
    first = _perturbed(summary)
    first = first[summary.cell_ranks[first] < CELLS_PER_PERTURBATION]
    yield "herded like the first 100 of each knock-out", _herded(summary, first, genes)
    yield "herded program by program", _dense(kept, _by_program(kept, perturbed), genes)


def _by_program(summary: Summary, candidates: np.ndarray) -> np.ndarray:
    """(100,) rows: the mean share of each program, herded within it, every prefix balanced."""
    shares = summary.proportions.drop(index=CONTROL_LABEL)[list(PROGRAMS)].mean()
    flags = summary.cell_programs.iloc[candidates]
    chosen, places = [], []
    for program, share in shares.items():
        of_program = candidates[flags[program].to_numpy(bool)]
        if n := min(round(share * CELLS_PER_PERTURBATION), len(of_program)):
            chosen.append(choose_cells(summary.cells, of_program, n))
            places.append((np.arange(n) + 0.5) / n)
    rows = np.concatenate(chosen)[np.argsort(np.concatenate(places), kind="stable")]
    return np.resize(rows, CELLS_PER_PERTURBATION)


def _moved(base: BaseCells, centroids: pd.DataFrame, proportions: pd.DataFrame) -> Answer:
    return Answer(lambda name: base.with_mean(centroids.loc[name].to_numpy()), proportions)


def _scaled(cells: np.ndarray, centroids: pd.DataFrame, proportions: pd.DataFrame) -> Answer:
    """Multiply each gene; one that is 0 in all cells gets the mean itself."""
    mean = cells.mean(axis=0, dtype=np.float64)
    units = np.where(mean > 0, cells / np.where(mean > 0, mean, 1), 1)
    return Answer(lambda name: units * centroids.loc[name].to_numpy(), proportions)


def _median(proportions: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    median = proportions.drop(index=CONTROL_LABEL)[list(PROGRAM_FLAGS)].median()
    return _valid(np.tile(median, (len(names), 1)), names)


def _read_off(summary: Summary, centroids: pd.DataFrame) -> pd.DataFrame:
    """Ridge regression of deviations from the median on the effects, applied to predicted effects.

    The ridge is that with the smallest L1 for training knock-outs left out one at a time.
    """
    flags, centre = list(PROGRAM_FLAGS), summary.perturbed_centroid
    true = summary.proportions.loc[summary.centroids.index, flags]
    median = true.median().to_numpy()
    residuals = true.to_numpy() - median
    effects = summary.centroids.to_numpy() - centre
    gram = effects @ effects.T
    best = np.inf
    for ridge in RIDGES:
        inverse = np.linalg.inv(gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram)))
        left_out = residuals - inverse @ residuals / np.diag(inverse)[:, None]
        guesses = _valid(median + left_out, list(true.index))
        pairs = zip(true.iterrows(), guesses.iterrows(), strict=True)
        loss = np.mean([l1_distance(a, b) for (_, a), (_, b) in pairs])
        if loss < best:
            best, coefficients = loss, inverse @ residuals
    similarity = (centroids.to_numpy() - centre) @ effects.T
    return _valid(median + similarity @ coefficients, list(centroids.index))


def _valid(values: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Programs that sum to 1, and lipo a part of adipo."""
    table = pd.DataFrame(values, index=names, columns=list(PROGRAM_FLAGS)).clip(lower=0)
    table[list(PROGRAMS)] = table[list(PROGRAMS)].div(table[list(PROGRAMS)].sum(axis=1), axis=0)
    return table.assign(lipo=np.minimum(table["lipo"], table["adipo"]))
