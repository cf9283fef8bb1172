"""Mixes of directions, weighted and tuned by leaving out one training knock-out at a time.

All work is done on the products of the training residuals (n x n), never on genes. A part of the
mix says with which coefficients the directions of the training knock-outs, and of the control, make
up the direction of a target:

control      the control's direction
mean         the mean of the training directions
neighbours   the mean over the training knock-outs nearest by the gene kernels
ridge        kernel ridge regression of the directions' deviations U from their mean, with a ridge
             on the responses too: K (K + ridge N)^-1 applied to G (G + response_ridge)^-1 U, where
             G = U U' and N has on its diagonal how badly each direction is measured

The weights of the parts are stacked (Wolpert 1992; Breiman 1996): non-negative least squares of the
left-out directions on what the parts predict for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import nnls

from perturbation.model.effects import (
    SHORTEST,
    Effects,
    gram_without,
    relative_noise,
    residual_gram,
)

N_NEIGHBOURS = 10
RIDGES = (3.0, 1.0, 0.3, 0.1)
"""In units of the kernel's mean diagonal."""
RESPONSE_RIDGES = (0.8, 0.4, 0.2, 0.1)
"""In units of the largest eigenvalue of G: principal directions with less are mostly given up."""

TIE = 1e-9
"""Losses closer than this are equal: rounding must not choose between them."""


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
        Median length of the training effects, unit of the centroids. (Least squares follows the
        strongest effects; the own transcript is added to the rest in real size.)
    ridge, response_ridge
        Of the ridge part.
    regressor
        (n, n) inverse of the penalised kernel.
    basis
        (n, n) principal directions of the training effects, each shortened by the root of the part
        that the response ridge keeps of it.
    """

    parts: tuple[str, ...]
    weights: np.ndarray
    scale: float
    ridge: float
    response_ridge: float
    regressor: np.ndarray
    basis: np.ndarray


def fit_mix(parts: tuple[str, ...], effects: Effects, kernel: np.ndarray) -> Mix:
    """Choose ridges and weights by leave-one-out.

    A knock-out left out takes no part in the perturbed centroid, in the principal directions or in
    the regression that predict it. Only the weights of the kernel's sources, and how noisy the
    others are beside the median one, have seen it.

    Parameters
    ----------
    parts
        Names, as in the module's first lines.
    effects
        Of the training knock-outs.
    kernel
        (n, n) between them.
    """
    settings = list(product(RIDGES, RESPONSE_RIDGES)) if "ridge" in parts else [(1.0, 1.0)]
    noise = relative_noise(effects)
    regressions = {ridge: _left_out_regressions(kernel, ridge * noise) for ridge, _ in settings}
    moments = [_Moments(len(parts)) for _ in settings]
    gram = residual_gram(effects)
    for left_out in range(len(kernel)):
        case = _left_out(gram, effects.shares, left_out)
        others = np.delete(np.arange(len(kernel)), left_out)
        for moment, (ridge, response_ridge) in zip(moments, settings, strict=True):
            regression = regressions[ridge][[left_out]][:, others]
            similarity = kernel[[left_out]][:, others]
            basis = case.responses.basis(response_ridge)
            moment.add(_coefficients(parts, similarity, regression, basis), case)
    losses = np.array([moment.loss() for moment in moments])
    best = int(np.argmax(losses <= losses.min() + TIE))  # the first, most cautious, of equals
    ridge, response_ridge = settings[best]
    responses = _responses(effects.directions @ effects.directions.T)
    return Mix(
        parts=parts,
        weights=moments[best].weights(),
        scale=float(np.median(effects.lengths[:-1])),
        ridge=ridge,
        response_ridge=response_ridge,
        regressor=np.linalg.inv(_penalised(kernel, ridge * noise)),
        basis=responses.basis(response_ridge),
    )


def predict_coefficients(mix: Mix, target_kernel: np.ndarray) -> np.ndarray:
    """Coefficients of the directions, (n_targets, n + 1), in the unit of the centroids.

    Parameters
    ----------
    mix
        From `fit_mix`.
    target_kernel
        (n_targets, n) between targets and training knock-outs.
    """
    regression = target_kernel @ mix.regressor
    parts = _coefficients(mix.parts, target_kernel, regression, mix.basis)
    return mix.scale * np.tensordot(mix.weights, parts, axes=1)


@dataclass(frozen=True)
class _Responses:
    """Principal directions of the knock-outs' deviations from their mean direction."""

    variances: np.ndarray
    """(n,) ascending."""
    directions: np.ndarray
    """(n, n) in columns."""

    def basis(self, response_ridge: float) -> np.ndarray:
        """B with B B' = G (G + ridge)^-1, (n, n), the ridge in units of the largest variance."""
        ridge = max(response_ridge * self.variances[-1], SHORTEST)
        return self.directions * np.sqrt(self.variances / (self.variances + ridge))


@dataclass(frozen=True)
class _Case:
    """One knock-out left out, and the others."""

    gram: np.ndarray
    """(n, n) products of the others' directions, the control's last."""
    responses: _Responses
    """Of the others."""
    truth: np.ndarray
    """(n,) products of the left-out direction with the others'."""


def _left_out(gram: np.ndarray, shares: np.ndarray, left_out: int) -> _Case:
    residuals = gram_without(gram, shares, left_out)
    lengths = np.sqrt(np.maximum(np.diag(residuals), SHORTEST**2))
    directions = residuals / np.outer(lengths, lengths)
    others = np.delete(np.arange(len(gram)), left_out)
    of_others = directions[np.ix_(others, others)]
    return _Case(
        gram=of_others,
        responses=_responses(of_others),
        truth=directions[left_out, others],
    )


def _responses(gram: np.ndarray) -> _Responses:
    knockouts = gram[:-1, :-1]
    means = knockouts.mean(axis=0)
    variances, directions = np.linalg.eigh(knockouts - means - means[:, None] + means.mean())
    return _Responses(np.maximum(variances, 0.0), directions)


def _penalised(kernel: np.ndarray, ridges: np.ndarray) -> np.ndarray:
    """Add to the diagonal a ridge (n,) for each knock-out, in units of the mean diagonal."""
    unit = max(float(np.trace(kernel)) / len(kernel), SHORTEST)
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


def _coefficients(
    parts: tuple[str, ...],
    similarity: np.ndarray,
    regression: np.ndarray,
    basis: np.ndarray,
) -> np.ndarray:
    """(n_parts, n_targets, n + 1) how each part makes up each target's direction."""
    n_targets, n = similarity.shape
    of_part = {
        "control": lambda: np.eye(n + 1)[[n] * n_targets],
        "mean": lambda: _padded(np.full((n_targets, n), 1 / n)),
        "neighbours": lambda: _padded(_neighbours(similarity)),
        "ridge": lambda: _padded(_smoothed(regression, basis)),
    }
    return np.stack([of_part[part]() for part in parts])


def _padded(coefficients: np.ndarray) -> np.ndarray:
    """Add the control's column."""
    return np.pad(coefficients, ((0, 0), (0, 1)))


def _smoothed(regression: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Coefficients of the regression of the deviations, after the ridge on the responses."""
    deviations = regression - regression.mean(axis=1, keepdims=True)
    kept = (deviations @ basis) @ basis.T
    return kept - kept.mean(axis=1, keepdims=True)


def _neighbours(similarity: np.ndarray) -> np.ndarray:
    """(n_targets, n) equal coefficients for the nearest, none for knock-outs nothing links."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    chosen = np.zeros(similarity.shape)
    np.put_along_axis(chosen, order[:, :N_NEIGHBOURS], 1.0, axis=1)
    chosen *= similarity > 0
    return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)


class _Moments:
    """Sums over left-out knock-outs: all that least squares needs."""

    def __init__(self, n_parts: int) -> None:
        self.products = np.zeros((n_parts, n_parts))
        self.with_truth = np.zeros(n_parts)
        self.n = 0

    def add(self, coefficients: np.ndarray, case: _Case) -> None:
        coefficients = coefficients[:, 0]
        self.products += coefficients @ case.gram @ coefficients.T
        self.with_truth += coefficients @ case.truth
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
