"""Mixes of directions, weighted and tuned by leaving out one training knock-out at a time.

All work is done on the products of the training residuals (n x n), never on genes. A part of the
mix says with which coefficients the directions of the training knock-outs, and of the control, make
up the direction of a target:

control      the control's direction
mean         the mean of the training directions
neighbours   the mean over the training knock-outs nearest by the gene kernels
ridge        kernel ridge regression of the directions' deviations from their mean, cut to low rank

The weights of the parts are stacked (Wolpert 1992; Breiman 1996): non-negative least squares of the
left-out directions on what the parts predict for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import nnls

from perturbation.effects import SHORTEST, Effects, gram_without
from perturbation.gene_kernels import aligned_kernel

N_NEIGHBOURS = 10
RIDGES = (0.1, 0.3, 1.0, 3.0)
"""In units of the kernel's mean diagonal."""
RANKS = (3, 10, 30)
"""How many principal directions of the training effects the ridge part may use."""


@dataclass(frozen=True)
class Mix:
    """A fitted mix.

    Attributes
    ----------
    parts
        Names.
    weights
        (n_parts,) stacking weights.
    scale
        Length of an effect for a predicted direction of length 1, unit of the centroids.
    ridge, rank
        Of the ridge part.
    gram
        (n + 1, n + 1) products of the directions.
    kernels
        (n_sources, n, n) between the training knock-outs.
    """

    parts: tuple[str, ...]
    weights: np.ndarray
    scale: float
    ridge: float
    rank: int
    gram: np.ndarray
    kernels: np.ndarray


def fit_mix(parts: tuple[str, ...], effects: Effects, kernels: np.ndarray) -> Mix:
    """Choose ridge, rank, weights and scale by leave-one-out.

    Parameters
    ----------
    parts
        Names, as in the module's first lines.
    effects
        Of the training knock-outs.
    kernels
        (n_sources, n, n) between them.
    """
    gram = (effects.directions @ effects.directions.T) * np.outer(effects.lengths, effects.lengths)
    settings = list(product(RIDGES, RANKS)) if "ridge" in parts else [(RIDGES[0], RANKS[0])]
    moments = [_Moments(len(parts)) for _ in settings]
    for left_out in range(len(gram) - 1):
        case = _left_out(gram, effects.shares, kernels, left_out)
        for moment, predicted in zip(moments, _all_parts(parts, case, settings), strict=True):
            moment.add(predicted, case)
    best = int(np.argmin([moment.loss() for moment in moments]))
    unit_gram = effects.directions @ effects.directions.T
    weights, scale = moments[best].weights(), moments[best].scale()
    return Mix(parts, weights, scale, *settings[best], unit_gram, kernels)


def predict_coefficients(mix: Mix, effects: Effects, kernels: np.ndarray) -> np.ndarray:
    """Coefficients of the directions, (n_targets, n + 1), in the unit of the centroids.

    Parameters
    ----------
    mix
        From `fit_mix` on the same effects.
    effects
        Of the training knock-outs.
    kernels
        (n_sources, n_targets, n) between targets and training knock-outs.
    """
    case = _Case(mix.gram, mix.kernels, kernels)
    (predicted,) = _all_parts(mix.parts, case, [(mix.ridge, mix.rank)])
    return mix.scale * np.tensordot(mix.weights, predicted, axes=1)


@dataclass(frozen=True)
class _Case:
    """Training knock-outs and targets: what a part may look at, and for one left out the truth."""

    gram: np.ndarray
    """(n + 1, n + 1) products of the directions."""
    kernels: np.ndarray
    """(n_sources, n, n)"""
    target_kernels: np.ndarray
    """(n_sources, n_targets, n)"""
    truth: np.ndarray | None = None
    """(n + 1,) products of the left-out direction with the directions."""
    length: float = 1.0
    """Of the left-out residual."""


def _left_out(gram: np.ndarray, shares: np.ndarray, kernels: np.ndarray, left_out: int) -> _Case:
    residuals = gram_without(gram, shares, left_out)
    lengths = np.sqrt(np.maximum(np.diag(residuals), SHORTEST**2))
    directions = residuals / np.outer(lengths, lengths)
    others = np.delete(np.arange(len(gram)), left_out)
    knockouts = others[:-1]
    return _Case(
        gram=directions[np.ix_(others, others)],
        kernels=kernels[:, knockouts[:, None], knockouts],
        target_kernels=kernels[:, [left_out]][:, :, knockouts],
        truth=directions[left_out, others],
        length=float(lengths[left_out]),
    )


class _Moments:
    """Sums over left-out knock-outs: all that least squares needs."""

    def __init__(self, n_parts: int) -> None:
        self.products = np.zeros((n_parts, n_parts))
        self.with_truth = np.zeros(n_parts)
        self.with_residual = np.zeros(n_parts)
        self.n = 0

    def add(self, predicted: np.ndarray, case: _Case) -> None:
        coefficients = predicted[:, 0]
        self.products += coefficients @ case.gram @ coefficients.T
        self.with_truth += coefficients @ case.truth
        self.with_residual += coefficients @ case.truth * case.length
        self.n += 1

    def weights(self) -> np.ndarray:
        """Non-negative least squares from the normal equations."""
        values, vectors = np.linalg.eigh(self.products)
        values = np.maximum(values, 1e-9 * max(values.max(), SHORTEST))
        root = (vectors * np.sqrt(values)) @ vectors.T
        return nnls(root, np.linalg.solve(root, self.with_truth))[0]

    def loss(self) -> float:
        """Mean squared distance of the left-out directions from the mix."""
        weights = self.weights()
        return 1 + (weights @ self.products @ weights - 2 * weights @ self.with_truth) / self.n

    def scale(self) -> float:
        """Least squares of the left-out residuals on the predicted directions."""
        weights = self.weights()
        squares = weights @ self.products @ weights
        return float(weights @ self.with_residual / squares) if squares > 0 else 0.0


def _all_parts(
    parts: tuple[str, ...], case: _Case, settings: list[tuple[float, int]]
) -> Iterator[np.ndarray]:
    """Yield for each (ridge, rank) the coefficients (n_parts, n_targets, n + 1)."""
    n_targets, n = case.target_kernels.shape[1], len(case.gram) - 1
    fixed = {
        "control": np.eye(n + 1)[[n] * n_targets],
        "mean": np.repeat(np.append(np.full(n, 1 / n), 0)[None], n_targets, axis=0),
    }
    if "neighbours" in parts:
        fixed["neighbours"] = _neighbours(case)
    if "ridge" not in parts:
        yield from (np.stack([fixed[part] for part in parts]) for _ in settings)
        return
    for ridge in _ridge_coefficients(case, settings):
        yield np.stack([ridge if part == "ridge" else fixed[part] for part in parts])


def _neighbours(case: _Case) -> np.ndarray:
    similarity = case.target_kernels.sum(axis=0)
    rank = np.argsort(np.argsort(-similarity, axis=1, kind="stable"), axis=1, kind="stable")
    chosen = ((rank < N_NEIGHBOURS) & (similarity > 0)).astype(np.float64)
    coefficients = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    return np.pad(coefficients, ((0, 0), (0, 1)))


def _ridge_coefficients(case: _Case, settings: list[tuple[float, int]]) -> Iterator[np.ndarray]:
    """Yield for each (ridge, rank) the coefficients (n_targets, n + 1)."""
    n = len(case.gram) - 1
    centring = np.eye(n) - 1 / n
    deviations = centring @ case.gram[:n, :n] @ centring
    kernel, target_kernel = aligned_kernel(case.kernels, case.target_kernels, deviations)
    values, vectors = np.linalg.eigh(kernel)
    values = np.maximum(values, 0)
    unit = max(float(np.trace(kernel)) / n, SHORTEST)
    projected = target_kernel @ vectors
    components = np.linalg.eigh(deviations)[1][:, ::-1]
    for ridge, rank in settings:
        coefficients = (projected / (values + ridge * unit)) @ vectors.T
        leading = components[:, :rank]
        coefficients = (coefficients @ leading) @ leading.T @ centring
        yield np.pad(coefficients, ((0, 0), (0, 1)))
