"""The parts of a prediction that can be exchanged, and the one check of what they answer.

It stands wherever an answer enters: infer(), --cv, --whole, preflight.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Protocol, Self

import numpy as np
import pandas as pd

from perturbation.competition import PROGRAM_FLAGS
from perturbation.data.names import listed
from perturbation.data.proportions import check_shares
from perturbation.data.summary import Summary, TrainingCentroids
from perturbation.errors import InputError
from perturbation.model.gene_features import GeneFeatures

PERTURBATIONS_PER_BLOCK = 128
"""Centroids predicted at a time: memory for as many rows of float64."""
SAME = 1e-6
"""By more than this two answers about one knock-out differ, log2(1 + counts per 100,000)."""
SUM_TOLERANCE = 0.001
"""How far the platform lets pre_adipo + adipo + other be off 1."""


class Predictor(Protocol):
    """Centroids of knock-outs nobody measured: the board of Pearson delta."""

    def fit(self, training: TrainingCentroids, gene_features: GeneFeatures | None) -> Self:
        """Learn from the training knock-outs, and return self.

        Parameters
        ----------
        training
            Centroids in log2(1 + counts per 100,000), and proportions.
        gene_features
            What is known about genes, from `load_gene_features`.
        """

    def predict(self, perturbations: Sequence[str]) -> np.ndarray:
        """Return centroids (len(perturbations), n_genes) in the order of ``training.genes``.

        log2(1 + counts per 100,000), finite and not negative; the same for a knock-out asked alone
        and among others.
        """


Cells = Callable[[Summary], np.ndarray]
"""The cells that predictions are made of: (100, n_genes) float32, not negative, of a summary. Their
distribution is the board of MMD; their mean is moved to each predicted centroid."""

Proportions = Callable[
    [TrainingCentroids, GeneFeatures | None, Predictor, Sequence[str]], pd.DataFrame
]
"""The board of L1: of the training set, the gene features, the fitted predictor of centroids and
the perturbations to the shares (n, 4) pre_adipo, adipo, other, lipo, index the perturbations."""


def fitted(
    predictor: Predictor, training: TrainingCentroids, gene_features: GeneFeatures | None
) -> Predictor:
    """Fit on a copy of the training set, which the predictor may spoil.

    Raises
    ------
    InputError
        If there is no fit() or predict(), or fit() returns nothing.
    """
    name = type(predictor).__name__
    check_predictor(predictor, name)
    if predictor.fit(deepcopy(training), gene_features) is None:
        raise InputError(f"{name}: fit() returned nothing; end it with return self.")
    return predictor


def check_predictor(predictor: object, name: str) -> None:
    """Raise InputError unless it has fit() and predict()."""
    if isinstance(predictor, type):
        raise InputError(f"{predictor.__name__} is a class; its brackets () are missing.")
    for method in ("fit", "predict"):
        if not callable(getattr(predictor, method, None)):
            raise InputError(f"{name} has no {method}(); see perturbation/model/parts.py.")


def predicted_centroids(
    predictor: Predictor, perturbations: Sequence[str], n_genes: int
) -> Iterator[np.ndarray]:
    """Yield the centroid (n_genes,) float64 of each perturbation, asked for in blocks.

    Raises
    ------
    InputError
        If an answer is not one row a target, of numbers, finite, not negative, and the same for a
        target asked alone as among others.
    """
    for start in range(0, len(perturbations), PERTURBATIONS_PER_BLOCK):
        names = list(perturbations[start : start + PERTURBATIONS_PER_BLOCK])
        centroids = _block(predictor, names, n_genes)
        if start == 0 and len(names) > 1:
            gap = np.abs(_block(predictor, names[-1:], n_genes)[0] - centroids[-1]).max()
            if gap > SAME:
                raise InputError(
                    f"{type(predictor).__name__}: predict() answers {names[-1]} alone otherwise "
                    f"than among others, by up to {gap:.3g}. An answer may depend on its own "
                    "target only."
                )
        yield from centroids


def _block(predictor: Predictor, names: list[str], n_genes: int) -> np.ndarray:
    what = f"{type(predictor).__name__}: predict() of {len(names)} perturbations"
    answer = predictor.predict(names)
    _check_array(answer, (len(names), n_genes), what)
    return answer.astype(np.float64, copy=False)


def checked_cells(
    blocks: Iterable[np.ndarray], n_perturbations: int, shape: tuple[int, int]
) -> Iterator[np.ndarray]:
    """Yield one array of cells for each perturbation, each of `shape`, unchanged.

    Raises
    ------
    InputError
        If there are more or fewer, or one has another shape, or values that are not finite or
        negative.
    """
    n = 0
    for n, block in enumerate(blocks, 1):
        if n > n_perturbations:
            break
        _check_array(block, shape, f"predict(): the cells of perturbation number {n:,}")
        yield block
    if n != n_perturbations:
        more = " or more" if n > n_perturbations else ""
        raise InputError(
            f"predict() made cells of {n:,} perturbations{more}, not the {n_perturbations:,} asked."
        )


def checked_base_cells(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the cells that predictions are made of, (100, n_genes) float32; refuse others."""
    _check_array(cells, shape, "The cells to make predictions of")
    return cells.astype(np.float32, copy=False)


def _check_array(answer: object, shape: tuple[int, int], what: str) -> None:
    expected = f"expected an array {shape} of log2(1 + counts per 100,000)"
    if not isinstance(answer, np.ndarray):
        raise InputError(
            f"{what} gave {type(answer).__name__}; {expected}, its columns in the order of the "
            "genes given."
        )
    if answer.shape != shape or answer.dtype.kind not in "fiu":
        raise InputError(f"{what} gave {answer.shape} of {answer.dtype}; {expected}.")
    lowest, highest = answer.min(), answer.max()  # NaN if there is one
    if not np.isfinite([lowest, highest]).all():
        n_bad = int((~np.isfinite(answer)).sum())
        raise InputError(f"{what} gave {n_bad:,} values that are NaN or infinite; {expected}.")
    if lowest < 0:
        raise InputError(
            f"{what} gave negative values, the lowest {lowest:.4g}; no cell has any. End it with "
            "numpy.maximum(values, 0)."
        )


def checked_proportions(table: pd.DataFrame, perturbations: Sequence[str]) -> pd.DataFrame:
    """Return the proportions (n, 4) in the order of the perturbations.

    Raises
    ------
    InputError
        If it is no DataFrame with a row for each perturbation and the columns pre_adipo, adipo,
        other and lipo, or values break what the platform demands.
    """
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"predict(): the proportions are {type(table).__name__}, no DataFrame.")
    asked, flags = list(perturbations), list(PROGRAM_FLAGS)
    is_numeric = all(dtype.kind in "fiu" for dtype in table.dtypes)
    if set(table) != set(flags) or list(table.index) != asked or not is_numeric:
        raise InputError(
            f"predict(): the proportions have {len(table):,} rows, first: {listed(table.index)}, "
            f"and the columns {listed(table.columns, 6)} of {listed(table.dtypes, 4)}; expected "
            f"numbers in {', '.join(flags)} for the {len(asked):,} perturbations asked, in order."
        )
    table = table[flags]
    check_shares(table, "predict()", SUM_TOLERANCE, 0)
    return table
