"""Mixes of directions, weighted and tuned by leaving out one training knock-out at a time.

All work is done on the products of the training residuals (n x n), never on genes. A part of the
mix says with which coefficients the directions of the training knock-outs, and of the control, make
up the direction of a target:

control      the control's direction
mean         the mean of the training directions
knowledge    kernel ridge regression of the directions' deviations U from their mean, with a ridge
             on the responses too: K (K + ridge N)^-1 applied to G (G + response_ridge)^-1 U, where
             G = U U' and N has on its diagonal how badly each direction is measured; K is the
             kernel of what is known about the genes
own gene     the same, K made of where the knocked-out gene lies in the training data
process      the same, K made of a few terms that name the process under study

The weights come from perturbation.model.stacking; there the last two parts must earn theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from perturbation.model.effects import (
    TINY,
    Effects,
    gram_without,
    principal_axes,
    relative_noise,
    residual_gram,
    response_basis,
)
from perturbation.model.own_gene import OwnGene
from perturbation.model.stacking import CONSTANT_PARTS, stack

RIDGES = (3.0, 1.0, 0.3, 0.1)
"""In units of the kernel's mean diagonal."""
RESPONSE_RIDGES = (0.8, 0.4, 0.2, 0.1)
"""In units of the largest eigenvalue of G: principal directions with less are mostly given up."""


class Candidate(NamedTuple):
    """A part of the mix with its ridges; those of a constant part play no role."""

    part: str
    ridge: float
    response_ridge: float


@dataclass(frozen=True)
class Mix:
    """A fitted mix.

    Attributes
    ----------
    candidates
        The parts and their ridges.
    weights
        (n_parts,) stacking weights.
    scale
        Median length of the training effects, unit of the centroids. (Least squares follows the
        strongest effects; the own transcript is added to the rest in real size.)
    regressors
        For each part with a kernel, (n, n) inverse of the penalised kernel.
    axes
        (n, n) principal directions of the training effects in columns, the largest last.
    bases
        For each part with a kernel, (n, n) the axes, each shortened by the root of what the
        response ridge keeps of it.
    """

    candidates: tuple[Candidate, ...]
    weights: np.ndarray
    scale: float
    axes: np.ndarray
    regressors: dict[str, np.ndarray]
    bases: dict[str, np.ndarray]


def fit_mix(
    parts: tuple[str, ...], effects: Effects, kernels: Mapping[str, np.ndarray], own: OwnGene
) -> Mix:
    """Choose ridges and weights by leave-one-out.

    A knock-out left out takes no part in the perturbed centroid, in the principal directions, in
    the axes that describe its own gene or in the regressions that predict it. Only the weights of
    the kernel's sources, and how noisy the others are beside the median one, have seen it.

    Parameters
    ----------
    parts
        Names, as in the module's first lines.
    effects
        Of the training knock-outs.
    kernels
        (n, n) between them, of each part but "own gene" that has one.
    own
        The training knock-outs' own genes.
    """
    noise = relative_noise(effects)
    candidates = _candidates(parts)
    products, with_truth = _left_out_moments(candidates, effects, kernels, own, noise)
    chosen, weights = stack([c.part for c in candidates], products, with_truth)
    variances, axes = principal_axes(effects.directions @ effects.directions.T)
    whole = {**kernels, "own gene": own.kernel(own.directions(effects), axes)}
    kept = [candidates[i] for i in chosen if candidates[i].part not in CONSTANT_PARTS]
    return Mix(
        candidates=tuple(candidates[i] for i in chosen),
        weights=weights,
        scale=float(np.median(effects.lengths[:-1])),
        axes=axes,
        regressors={
            part: np.linalg.inv(_penalised(whole[part], ridge * noise)) for part, ridge, _ in kept
        },
        bases={
            part: response_basis(variances, axes, response_ridge)
            for part, _, response_ridge in kept
        },
    )


def predict_coefficients(mix: Mix, target_kernels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Coefficients of the directions, (n_targets, n + 1), in the unit of the centroids.

    Parameters
    ----------
    mix
        From `fit_mix`.
    target_kernels
        (n_targets, n) between targets and training knock-outs, of every part that has one.
    """
    shape = next(iter(target_kernels.values())).shape
    parts = [
        _constant(part, *shape)
        if part in CONSTANT_PARTS
        else _smoothed(target_kernels[part] @ mix.regressors[part], mix.bases[part])
        for part, _, _ in mix.candidates
    ]
    return mix.scale * np.tensordot(mix.weights, np.stack(parts), axes=1)


def _candidates(parts: tuple[str, ...]) -> list[Candidate]:
    """Every part with every setting of its ridges, the most cautious first."""
    settings = list(product(RIDGES, RESPONSE_RIDGES))
    return [
        Candidate(part, *setting)
        for part in parts
        for setting in (settings[:1] if part in CONSTANT_PARTS else settings)
    ]


def _left_out_moments(
    candidates: list[Candidate],
    effects: Effects,
    kernels: Mapping[str, np.ndarray],
    own: OwnGene,
    noise: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """All that least squares needs: for each knock-out left out, what the candidates predict.

    Returns
    -------
    (n, n_candidates, n_candidates) products of the predictions with each other, and
    (n, n_candidates) with the true direction.
    """
    # Everything is a product of residuals, so no gene is touched again: with 122 knock-outs each
    # turn works on 122 x 122 numbers, not on 122 x 21,592.
    n, gram = len(noise), residual_gram(effects)
    used = {candidate.part for candidate in candidates}
    fixed = {
        (part, ridge): _left_out_regressions(kernel, ridge * noise)
        for part, kernel in kernels.items()
        if part in used
        for ridge in RIDGES
    }
    products, with_truth = np.empty((n, *[len(candidates)] * 2)), np.empty((n, len(candidates)))
    for i in range(n):
        residuals = gram_without(gram, effects.shares, i)
        lengths = np.sqrt(np.maximum(np.diag(residuals), TINY**2))
        directions = residuals / np.outer(lengths, lengths)
        others = np.delete(np.arange(n + 1), i)
        # What is learnt of the others: their axes, and the regressions' rows that predict number i.
        among = directions[np.ix_(others, others)]
        variances, axes = principal_axes(among)
        bases = {ridge: response_basis(variances, axes, ridge) for ridge in RESPONSE_RIDGES}
        regressions = {key: rows[[i]][:, others[:-1]] for key, rows in fixed.items()}
        if "own gene" in used:
            # Its own residual left the centre of all: the others' residuals move, as in the Gram.
            step = effects.shares[i] / (1 - effects.shares[i])
            at_own = (own.residuals + step * own.residuals[i])[others[:-1]]
            kernel = own.kernel(at_own / lengths[others[:-1], None], axes)
            for ridge in RIDGES:
                rows = _left_out_regressions(kernel, ridge * noise)
                regressions["own gene", ridge] = rows[[i]][:, others[:-1]]
        predicted = np.concatenate(
            [
                _constant(part, 1, n - 1)
                if part in CONSTANT_PARTS
                else _smoothed(regressions[part, ridge], bases[response_ridge])
                for part, ridge, response_ridge in candidates
            ]
        )
        products[i] = predicted @ among @ predicted.T
        with_truth[i] = predicted @ directions[i, others]
    return products, with_truth


def _constant(part: str, n_targets: int, n: int) -> np.ndarray:
    """(n_targets, n + 1) of a part that is the same for every target."""
    row = np.append(np.zeros(n), 1.0) if part == "control" else np.append(np.full(n, 1 / n), 0.0)
    return np.tile(row, (n_targets, 1))


def _smoothed(regression: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(n_targets, n + 1) the regression of the deviations, after the ridge on the responses."""
    # Coefficients of the deviations U = D - mean(D) become coefficients of the directions D when
    # their mean is taken off, before and after the ridge; the control (last) has no part in it.
    deviations = regression - regression.mean(axis=1, keepdims=True)
    kept = (deviations @ basis) @ basis.T
    return np.pad(kept - kept.mean(axis=1, keepdims=True), ((0, 0), (0, 1)))


def _penalised(kernel: np.ndarray, ridges: np.ndarray) -> np.ndarray:
    """Add to the diagonal a ridge (n,) for each knock-out, in units of the mean diagonal."""
    unit = max(float(np.trace(kernel)) / len(kernel), TINY)
    return kernel + unit * np.diag(ridges)


def _left_out_regressions(kernel: np.ndarray, ridges: np.ndarray) -> np.ndarray:
    """(n, n) row i: coefficients of the regression without i when it predicts i.

    With M the inverse of the penalised kernel they are -M[i, j] / M[i, i], as block inversion
    shows; the diagonal is 0.
    """
    inverse = np.linalg.inv(_penalised(kernel, ridges))
    coefficients = -inverse / np.diag(inverse)[:, None]
    np.fill_diagonal(coefficients, 0)
    return coefficients
