"""A hundred cells that stand for all, and their shift to any mean."""

from collections.abc import Iterable, Iterator
from itertools import cycle

import numpy as np
from scipy import sparse

from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL
from perturbation.data.summary import Summary
from perturbation.model.mmd_kernel import mmd_kernel
from perturbation.model.moved_cells import moved

N_KERNEL_GENES = 1000
"""The platform's panel has 1,000 genes, which behave like variable ones."""

N_MOVED_GENES = 3000
"""Most variable genes in which the chosen cells are moved; in others they stay as they are."""

SEED = 0
"""Of the draws of genes and cells on which they are moved."""

LARGEST_LIFT = 1.0
"""Raise the values above zero by at most this, log2(1 + counts per 100,000)."""

N_BUFFERS = 3
"""One block of cells is written while the next is made; one to spare."""

VALUES_SQUARED = 2**18
"""Values squared at a time, to save memory."""


def choose_cells(summary: Summary, n_chosen: int = CELLS_PER_PERTURBATION) -> np.ndarray:
    """Cells whose distribution is closest to that of all perturbed ones.

    Real cells are chosen by kernel herding (Chen, Welling and Smola 2010) under the platform's own
    MMD kernel on the most variable genes, then moved to come closer still; see `moved`. The order
    is that of choice, so every prefix is balanced too.

    Parameters
    ----------
    summary
        Of the training cells; those of knock-outs are chosen from, and stayed close to.
    n_chosen
        How many to choose. Cells repeat only if there are fewer perturbed cells than that.

    Returns
    -------
    ndarray (n_chosen, n_genes) float32, log2(1 + counts per 100,000), in the order of choice.
    """
    perturbed = np.flatnonzero(summary.cell_labels != CONTROL_LABEL)
    cells = summary.cells[herded(summary.cells, perturbed, n_chosen)].toarray()
    genes = most_variable_genes(summary.cells, N_MOVED_GENES)
    training_cells = summary.cells[:, genes][perturbed].toarray()
    mean = summary.training.perturbed_centroid[genes]
    cells[:, genes] = moved(
        cells[:, genes],
        training_cells,
        lambda cells: BaseCells(cells).with_mean(mean),
        np.random.default_rng(SEED),
    )
    return cells


def herded(cells: sparse.csr_array, candidates: np.ndarray, n_chosen: int) -> np.ndarray:
    """(n_chosen,) rows of `cells`, of those among `candidates`, in the order of choice."""
    genes = most_variable_genes(cells, N_KERNEL_GENES)
    # No name for what is in between: it would be held while the kernel, the largest, is made.
    kernel = mmd_kernel(cells[:, genes][candidates].astype(np.float64).toarray(), np.float32)
    order = _herd(kernel, min(n_chosen, len(kernel)))
    return candidates[np.resize(order, n_chosen)]


def most_variable_genes(
    cells: sparse.csr_array, n_genes: int, among: np.ndarray | None = None
) -> np.ndarray:
    """Columns of the `n_genes` largest variances over cells, ascending; of all or `among` some."""
    n, n_columns = cells.shape
    sums, sums_of_squares = np.zeros((2, n_columns))
    for start in range(0, cells.nnz, VALUES_SQUARED):
        part = slice(start, start + VALUES_SQUARED)
        values = cells.data[part].astype(np.float64)
        sums += np.bincount(cells.indices[part], values, n_columns)
        sums_of_squares += np.bincount(cells.indices[part], values**2, n_columns)
    variances = sums_of_squares / n - (sums / n) ** 2
    columns = np.arange(n_columns) if among is None else np.sort(among)
    return np.sort(columns[np.argsort(-variances[columns], kind="stable")[:n_genes]])


def _herd(kernel: np.ndarray, n_chosen: int) -> np.ndarray:
    """Rows chosen one by one, each the best addition to those before, none twice."""
    # The first is the cell nearest to all: the largest row mean of the kernel. Each next one must
    # be near to all, but far from those chosen: of two clouds of 60 and 40 cells the first pick
    # lies in the larger, the second in the smaller, and so on in turn, until the picks stand 60 to
    # 40.
    closeness_to_all = kernel.mean(axis=1, dtype=np.float64)
    closeness_to_chosen = np.zeros(len(kernel))
    chosen: list[int] = []
    for size in range(1, n_chosen + 1):
        gain = closeness_to_all - closeness_to_chosen / size
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        closeness_to_chosen += kernel[chosen[-1]]
    return np.array(chosen, dtype=np.intp)


class BaseCells:
    """Cells that can be given any non-negative mean, gene by gene.

    Each gene's values above zero are shifted by one amount t and cut at zero, max(x + t, 0), with t
    such that the mean is exactly the wanted one; zeros stay zero, as in real cells. The mean is a
    piecewise linear function of t, so t is read off the sorted values of the gene and their prefix
    sums. Worked example: 4, 1, 0 with mean 1 must sum to 3. Cut down to the largest value alone,
    4 + t = 3 gives t = -1, which takes 1 to 0 as well: 3, 0, 0. With mean 2 the two values above
    zero must sum to 6: t = 0.5, and 4.5, 1.5, 0.

    Where t would be above `LARGEST_LIFT` (few values above zero, or none), all values of the gene
    are raised by what is missing from the mean, zeros too.

    Parameters
    ----------
    cells
        (n_cells, n_genes) non-negative.
    """

    def __init__(self, cells: np.ndarray) -> None:
        self.cells = np.ascontiguousarray(cells, dtype=np.float32)
        descending = -np.sort(-self.cells.astype(np.float64), axis=0)
        self._sums = np.cumsum(descending, axis=0)
        self._mean = self._sums[-1] / len(cells)
        self._largest_lift = np.where(self._mean > 0, LARGEST_LIFT, 0.0)
        k = np.arange(1, len(cells) + 1)[:, None]
        # Mean when the shift makes the k-th largest value exactly zero; grows with k. float32 is
        # enough: next to a knot, both its sides give the same mean.
        self._mean_at_knot = ((self._sums - k * descending) / len(cells)).astype(np.float32)
        # subtle: a zero's knot is never reached, and no shift lifts it above zero
        self._mean_at_knot[descending == 0] = np.inf
        self._above_zero = np.where(self.cells > 0, self.cells, np.float32(-np.inf))
        self._count_type = np.min_scalar_type(len(cells))  # the narrower, the faster

    def with_mean(self, centroid: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the cells shifted so that their mean is `centroid`.

        Parameters
        ----------
        centroid
            (n_genes,) non-negative, log2(1 + counts per 100,000).
        out
            Where to put them; None: into a new array.

        Returns
        -------
        ndarray (n_cells, n_genes) float32, non-negative; its mean is `centroid` to 1e-5.
        """
        is_above = self._mean_at_knot < centroid.astype(np.float32)
        n_above_zero = np.maximum(is_above.sum(axis=0, dtype=self._count_type), 1).astype(np.intp)
        sum_above = self._sums[n_above_zero - 1, np.arange(len(centroid))]
        shift = (len(self.cells) * centroid - sum_above) / n_above_zero
        shifted = np.add(self._above_zero, shift.astype(np.float32), out=out)
        np.maximum(shifted, 0, out=shifted)
        lifted = np.flatnonzero(shift > self._largest_lift)
        lift = (centroid - self._mean)[lifted].astype(np.float32)
        shifted[:, lifted] = self.cells[:, lifted] + lift
        return shifted


def cells_at(base_cells: np.ndarray, centroids: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the base cells moved to each centroid in turn.

    Parameters
    ----------
    base_cells
        (n_cells, n_genes) non-negative.
    centroids
        Each (n_genes,), the same genes.

    Yields
    ------
    ndarray (n_cells, n_genes) float32, log2(1 + counts per 100,000); good until two more were
    asked for: its memory is used again, as fresh memory costs time.
    """
    base = BaseCells(base_cells)
    buffers = cycle(np.empty((N_BUFFERS, *base_cells.shape), np.float32))
    for centroid in centroids:
        yield base.with_mean(centroid, out=next(buffers))
