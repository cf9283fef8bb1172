"""Weights of the parts of a mix, learnt from what each predicts for knock-outs left out.

The weights are stacked (Wolpert 1992; Breiman 1996): non-negative least squares of the left-out
directions on the predictions. Parts on trial must earn theirs: of what least squares gives them
they get the share 1 - (error / gain)^2, where gain is by how much they bring left-out directions
closer, and error its standard error.
"""

import numpy as np
from scipy.optimize import nnls

from perturbation.model.effects import TINY

CONSTANT_PARTS = ("control", "mean")
ON_TRIAL = ("own gene", "process")
TIE = 1e-9
"""Losses closer than this are equal: rounding must not choose between them."""


def stack(
    parts: list[str], products: np.ndarray, with_truth: np.ndarray
) -> tuple[list[int], np.ndarray]:
    """Choose one candidate of each part, part by part, and the weights of all.

    Parameters
    ----------
    parts
        Which part each candidate is a setting of, the most cautious setting first.
    products
        (n, n_candidates, n_candidates) of what the candidates predict for each left-out knock-out.
    with_truth
        (n, n_candidates) products of the predictions with the true direction, of length 1.

    Returns
    -------
    The numbers of the chosen candidates, and their weights (n_parts,).
    """

    def least_squares(chosen: list[int]) -> np.ndarray:
        # min |A w - b|^2 needs only A'A and A'b: with the root R of A'A, nnls solves R w = R^-1 A'b
        values, vectors = np.linalg.eigh(products[:, chosen][:, :, chosen].sum(axis=0))
        values = np.maximum(values, 1e-9 * max(values.max(initial=0.0), TINY))
        root = (vectors * np.sqrt(values)) @ vectors.T
        return nnls(root, np.linalg.solve(root, with_truth[:, chosen].sum(axis=0)))[0]

    def losses(chosen: list[int], weights: np.ndarray) -> np.ndarray:
        # (n,) squared distance of each left-out direction from the mix
        squares = np.einsum("i,nij,j->n", weights, products[:, chosen][:, :, chosen], weights)
        return 1 + squares - 2 * with_truth[:, chosen] @ weights

    chosen = [i for i, part in enumerate(parts) if part in CONSTANT_PARTS]
    weights = least_squares(chosen)
    for part in dict.fromkeys(part for part in parts if part not in CONSTANT_PARTS):
        options = [[*chosen, i] for i, name in enumerate(parts) if name == part]
        fits = [least_squares(option) for option in options]
        after = np.stack([losses(*fit) for fit in zip(options, fits, strict=True)])
        # subtle: of equals the first, the most cautious
        best = int(np.argmax(after.mean(axis=1) <= after.mean(axis=1).min() + TIE))
        share = trust(losses(chosen, weights) - after[best]) if part in ON_TRIAL else 1.0
        weights = (1 - share) * np.append(weights, 0.0) + share * fits[best]
        chosen = options[best]
    return chosen, weights


def trust(gains: np.ndarray) -> float:
    """Share of its weight that a part on trial gets, 0 to 1, for its gains (n,).

    Gains of mean 0.02 with a standard error of 0.01 give 1 - (1/2)^2 = 0.75; a mean below its
    standard error, as noise gives, none.
    """
    mean, error = gains.mean(), gains.std() / np.sqrt(max(len(gains) - 1, 1))
    return float(1 - (error / mean) ** 2) if mean > error else 0.0
