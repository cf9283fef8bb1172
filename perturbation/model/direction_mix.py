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

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from perturbation.model.effects import (
    TINY,
    Effects,
    OwnGene,
    gram_without,
    principal_axes,
    relative_noise,
    residual_gram,
    response_basis,
)
from perturbation.model.stacking import CONSTANT_PARTS, stack

PARTS = ("control", "mean", "knowledge", "own gene", "process")
"""As above."""
RIDGES = (3.0, 1.0, 0.3, 0.1)
"""In units of the kernel's mean diagonal."""
RESPONSE_RIDGES = (0.8, 0.4, 0.2, 0.1)
"""In units of the largest eigenvalue of G: principal directions with less are mostly given up."""


class Candidate(NamedTuple):
    """A part of the mix with its ridges; those of a constant part play no role."""

    part: str
    ridge: float
    response_ridge: float


SETTINGS = list(product(RIDGES, RESPONSE_RIDGES))
CANDIDATES = {
    part: [Candidate(part, *s) for s in SETTINGS[: 1 if part in CONSTANT_PARTS else None]]
    for part in PARTS
}
"""Every part with every setting of its ridges, the most cautious first."""


@dataclass(frozen=True)
class Mix:
    """A fitted mix of directions.

    Attributes
    ----------
    candidates
        The parts and their ridges.
    weights
        (n_parts,) stacking weights.
    axes
        (n, n) principal directions of the training effects in columns, the largest last.
    maps
        For each part (n, n + 1), from a target's kernel to coefficients of the directions in the
        unit of the centroids; (1, n + 1) for a constant part. (Their size is the median length of
        the training effects: least squares follows the strongest ones, and the own transcript is
        added to the rest in real size.)
    """

    candidates: tuple[Candidate, ...]
    weights: np.ndarray
    axes: np.ndarray
    maps: dict[str, np.ndarray]


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
    candidates = [candidate for part in parts for candidate in CANDIDATES[part]]
    products, with_truth = _left_out_moments(candidates, effects, kernels, own)
    chosen, weights = stack([c.part for c in candidates], products, with_truth)
    variances, axes = principal_axes(effects.directions @ effects.directions.T)
    kernels = {**kernels, "own gene": own.kernel(own.directions, axes)}
    maps = {}
    for number, weight in zip(chosen, weights, strict=True):
        part, ridge, response_ridge = candidates[number]
        if part in CONSTANT_PARTS:
            coefficients = _constant(part, len(noise))
        else:
            regression = np.linalg.inv(_penalised(kernels[part], ridge * noise))
            coefficients = _smoothed(regression, response_basis(variances, axes, response_ridge))
        maps[part] = np.median(effects.lengths[:-1]) * weight * coefficients
    return Mix(tuple(candidates[number] for number in chosen), weights, axes, maps)


def predict_coefficients(mix: Mix, target_kernels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Coefficients of the directions, (n_targets, n + 1), in the unit of the centroids.

    Parameters
    ----------
    mix
        From `fit_mix`.
    target_kernels
        (n_targets, n) between targets and training knock-outs, of every part that has one.
    """
    n_targets = len(next(iter(target_kernels.values())))
    constant = dict.fromkeys(CONSTANT_PARTS, np.ones((n_targets, 1)))
    return sum((constant | dict(target_kernels))[part] @ map_ for part, map_ in mix.maps.items())


def _left_out_moments(
    candidates: list[Candidate], effects: Effects, kernels: Mapping[str, np.ndarray], own: OwnGene
) -> tuple[np.ndarray, np.ndarray]:
    """All that least squares needs: for each knock-out left out, what the candidates predict.

    Returns
    -------
    (n, n_candidates, n_candidates) products of the predictions with each other, and
    (n, n_candidates) with the true direction.
    """
    # Everything is a product of residuals, so no gene is touched again: with 122 knock-outs each
    # turn works on 122 x 122 numbers, not on 122 x 21,592.
    n, noise, gram = len(own.directions), relative_noise(effects), residual_gram(effects)
    products, with_truth = np.empty((n, *[len(candidates)] * 2)), np.empty((n, len(candidates)))
    for i in range(n):
        residuals = gram_without(gram, effects.shares, i)
        lengths = np.sqrt(np.maximum(np.diag(residuals), TINY**2))
        directions = residuals / np.outer(lengths, lengths)
        others = np.delete(np.arange(n + 1), i)
        # What is learnt of the others: their axes, and the regressions that predict number i.
        among = directions[np.ix_(others, others)]
        variances, axes = principal_axes(among)
        bases = {ridge: response_basis(variances, axes, ridge) for ridge in RESPONSE_RIDGES}
        # Its own residual left the centre of all: the others' residuals move, as in the Gram.
        step = effects.shares[i] / (1 - effects.shares[i])
        at_own = own.directions * effects.lengths[:-1, None]
        at_own = np.delete(at_own + step * at_own[i], i, axis=0) / lengths[others[:-1], None]
        seen = {**kernels, "own gene": own.kernel(at_own, axes)}
        regressions = {
            (part, ridge): _left_out_regression(seen[part], ridge * noise, i)
            for part in seen
            for ridge in RIDGES
        }
        predicted = np.concatenate(
            [
                _constant(part, n - 1)
                if part in CONSTANT_PARTS
                else _smoothed(regressions[part, ridge], bases[response_ridge])
                for part, ridge, response_ridge in candidates
            ]
        )
        products[i] = predicted @ among @ predicted.T
        with_truth[i] = predicted @ directions[i, others]
    return products, with_truth


def _constant(part: str, n: int) -> np.ndarray:
    """(1, n + 1) of a part that is the same for every target."""
    return np.append(np.full(n, float(part == "mean") / n), float(part == "control"))[None]


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


def _left_out_regression(kernel: np.ndarray, ridges: np.ndarray, left_out: int) -> np.ndarray:
    """(1, n - 1) coefficients of the others in a regression that never saw the one they predict.

    With M the inverse of the whole penalised kernel they are -M[i, j] / M[i, i], as block inversion
    shows: a row of it is enough, and no kernel is cut.
    """
    is_left_out = np.arange(len(kernel)) == left_out
    row = np.linalg.solve(_penalised(kernel, ridges), is_left_out.astype(np.float64))
    return (-row[~is_left_out] / row[left_out])[None]
