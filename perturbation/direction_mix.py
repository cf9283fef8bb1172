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

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import nnls

from perturbation.effects import SHORTEST, Effects, gram_without, residual_gram

N_NEIGHBOURS = 10
RIDGES = (3.0, 1.0, 0.3, 0.1)
"""In units of the kernel's mean diagonal."""
RANKS = (3, 10, 30)
"""How many principal directions of the training effects the ridge part may use."""

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
        Length of an effect for a predicted direction of length 1, unit of the centroids.
    ridge, rank
        Of the ridge part.
    regressor
        (n, n) inverse of the penalised kernel.
    components
        (n, n) principal directions of the training effects, largest first.
    """

    parts: tuple[str, ...]
    weights: np.ndarray
    scale: float
    ridge: float
    rank: int
    regressor: np.ndarray
    components: np.ndarray


def fit_mix(parts: tuple[str, ...], effects: Effects, kernel: np.ndarray) -> Mix:
    """Choose ridge, rank, weights and scale by leave-one-out.

    A knock-out left out takes no part in the perturbed centroid, in the principal directions or in
    the regression that predict it. Only the weights of the kernel's sources have seen it.

    Parameters
    ----------
    parts
        Names, as in the module's first lines.
    effects
        Of the training knock-outs.
    kernel
        (n, n) between them.
    """
    settings = list(product(RIDGES, RANKS)) if "ridge" in parts else [(RIDGES[0], RANKS[0])]
    regressions = {ridge: _left_out_regressions(kernel, ridge) for ridge, _ in settings}
    moments = [_Moments(len(parts)) for _ in settings]
    gram = residual_gram(effects)
    for left_out in range(len(kernel)):
        case = _left_out(gram, effects.shares, left_out)
        others = np.delete(np.arange(len(kernel)), left_out)
        for moment, (ridge, rank) in zip(moments, settings, strict=True):
            regression = regressions[ridge][[left_out]][:, others]
            similarity = kernel[[left_out]][:, others]
            components = case.components[:, :rank]
            moment.add(_coefficients(parts, similarity, regression, components), case)
    losses = np.array([moment.loss() for moment in moments])
    best = int(np.argmax(losses <= losses.min() + TIE))  # the first, most cautious, of equals
    ridge, rank = settings[best]
    return Mix(
        parts=parts,
        weights=moments[best].weights(),
        scale=moments[best].scale(),
        ridge=ridge,
        rank=rank,
        regressor=np.linalg.inv(_penalised(kernel, ridge)),
        components=_principal_directions(effects.directions @ effects.directions.T),
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
    components = mix.components[:, : mix.rank]
    parts = _coefficients(mix.parts, target_kernel, regression, components)
    return mix.scale * np.tensordot(mix.weights, parts, axes=1)


@dataclass(frozen=True)
class _Case:
    """One knock-out left out, and the others."""

    gram: np.ndarray
    """(n, n) products of the others' directions, the control's last."""
    components: np.ndarray
    """(n - 1, n - 1) principal directions of the others, largest first."""
    truth: np.ndarray
    """(n,) products of the left-out direction with the others'."""
    length: float
    """Of the left-out residual."""


def _left_out(gram: np.ndarray, shares: np.ndarray, left_out: int) -> _Case:
    residuals = gram_without(gram, shares, left_out)
    lengths = np.sqrt(np.maximum(np.diag(residuals), SHORTEST**2))
    directions = residuals / np.outer(lengths, lengths)
    others = np.delete(np.arange(len(gram)), left_out)
    of_others = directions[np.ix_(others, others)]
    return _Case(
        gram=of_others,
        components=_principal_directions(of_others),
        truth=directions[left_out, others],
        length=float(lengths[left_out]),
    )


def _principal_directions(gram: np.ndarray) -> np.ndarray:
    """Eigenvectors of the knock-outs' deviations from their mean direction, largest first."""
    knockouts = gram[:-1, :-1]
    means = knockouts.mean(axis=0)
    deviations = knockouts - means - means[:, None] + means.mean()
    return np.linalg.eigh(deviations)[1][:, ::-1]


def _penalised(kernel: np.ndarray, ridge: float) -> np.ndarray:
    unit = max(float(np.trace(kernel)) / len(kernel), SHORTEST)
    return kernel + ridge * unit * np.eye(len(kernel))


def _left_out_regressions(kernel: np.ndarray, ridge: float) -> np.ndarray:
    """(n, n) row i: coefficients of the regression without i when it predicts i.

    With M the inverse of the penalised kernel they are -M[i, j] / M[i, i], as block inversion
    shows; the diagonal is 0.
    """
    inverse = np.linalg.inv(_penalised(kernel, ridge))
    coefficients = -inverse / np.diag(inverse)[:, None]
    np.fill_diagonal(coefficients, 0)
    return coefficients


def _coefficients(
    parts: tuple[str, ...],
    similarity: np.ndarray,
    regression: np.ndarray,
    components: np.ndarray,
) -> np.ndarray:
    """(n_parts, n_targets, n + 1) how each part makes up each target's direction."""
    n_targets, n = similarity.shape
    of_part = {
        "control": lambda: np.eye(n + 1)[[n] * n_targets],
        "mean": lambda: _padded(np.full((n_targets, n), 1 / n)),
        "neighbours": lambda: _padded(_neighbours(similarity)),
        "ridge": lambda: _padded(_low_rank(regression, components)),
    }
    return np.stack([of_part[part]() for part in parts])


def _padded(coefficients: np.ndarray) -> np.ndarray:
    """Add the control's column."""
    return np.pad(coefficients, ((0, 0), (0, 1)))


def _low_rank(regression: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Coefficients of the regression of the deviations, kept to some principal directions."""
    deviations = regression - regression.mean(axis=1, keepdims=True)
    kept = (deviations @ components) @ components.T
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
        self.with_residual = np.zeros(n_parts)
        self.n = 0

    def add(self, coefficients: np.ndarray, case: _Case) -> None:
        coefficients = coefficients[:, 0]
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
