"""Cells moved so that a hundred stand for all better than any hundred real ones.

Herding picks among real cells; the pick is improved by gradient descent on the expected MMD to the
training cells (super-samples, Chen, Welling and Smola 2010). Zeros stay zero, no value leaves the
range of real ones, and the mean is put back again and again.
"""

from collections.abc import Callable

import numpy as np

from perturbation.model.mmd_kernel import kernel_slope

N_STEPS = 150
N_PANEL_GENES = 1000
"""Genes of one step, drawn anew, as many as the platform scores: no panel is learnt by heart."""
N_BATCH_CELLS = 500
MOMENTUM = 0.8
STEPS_BETWEEN_MEANS = 10
SMALLEST = 0.1
"""Less than this is none, log2(1 + counts per 100,000): the smallest real values are about 1."""
DIGITS = 1 / 1024
"""Moved values are multiples of this: the last bits of matrix products differ between machines."""


def moved(
    cells: np.ndarray,
    training_cells: np.ndarray,
    with_mean: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Move cells so that their MMD to the training cells falls.

    Parameters
    ----------
    cells
        (n, n_genes) log2(1 + counts per 100,000), where to start.
    training_cells
        (n_training, n_genes) float32 cells to come close to.
    with_mean
        Takes cells (n, n_genes) and returns them with the mean to hold, none negative.
    rng
        Draws genes and training cells.

    Returns
    -------
    ndarray (n, n_genes) float64, in the order of `cells`.
    """
    cells, largest = cells.astype(np.float64), training_cells.max(axis=0)
    velocity = np.zeros_like(cells)
    n_training, n_genes = training_cells.shape
    for step in range(N_STEPS):
        # Steps drift off the mean to hold; every tenth puts it back, as predictions will have it.
        if step % STEPS_BETWEEN_MEANS == 0:
            cells = with_mean(cells).astype(np.float64)
        genes = np.sort(rng.permutation(n_genes)[:N_PANEL_GENES])
        batch = rng.permutation(n_training)[:N_BATCH_CELLS]
        now = cells[:, genes]
        force = _force(now, training_cells[np.ix_(batch, genes)].astype(np.float64))
        speed = MOMENTUM * velocity[:, genes] + force
        velocity[:, genes] = speed
        # Zeros stay zero, nothing exceeds what a real cell has, and what sinks below 0.1 is none.
        then = np.where(now > 0, np.minimum(now + speed, largest[genes]), 0)
        cells[:, genes] = np.where(then < SMALLEST, 0, then)
    return np.round(with_mean(cells) / DIGITS) * DIGITS


def _force(cells: np.ndarray, training_cells: np.ndarray) -> np.ndarray:
    """Minus the gradient of the expected MMD for each cell, in units of a safe step.

    A cell is pulled to the training cells and pushed off its fellows, by the kernel's slope w at
    their distance: sum w (t - x) / n_training - sum w (y - x) / n. subtle: divided by the larger of
    the two sums of w the pull alone would end in a weighted mean of training cells (mean shift), so
    no step is longer than cells are apart, whatever the scale of the data.
    """
    pull = kernel_slope(cells, training_cells) / len(training_cells)
    push = kernel_slope(cells, cells) / len(cells)
    pulls, pushes = pull.sum(axis=1, keepdims=True), push.sum(axis=1, keepdims=True)
    force = pull @ training_cells - push @ cells - (pulls - pushes) * cells
    return force / np.maximum(pulls, pushes)
