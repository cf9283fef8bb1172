"""What the 18 GB of training cells say, in one pass: mean profiles, and some cells of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CONTROL_LABEL
from perturbation.data.dataset import Dataset
from perturbation.progress import progress

N_CELLS_KEPT = 4000
"""Real cells kept to choose from; more did not lower the MMD."""


@dataclass(frozen=True)
class Summary:
    """Centroids, some real cells and program proportions; all that is fitted is fitted from this.

    Attributes
    ----------
    genes
        (n_genes,) names, in the order of the training file.
    centroids
        (n_perturbations, n_genes) float64, mean of the cells of each knock-out, NC not included.
    n_cells
        (n_perturbations,) how many cells each mean is over.
    control_centroid
        (n_genes,) float64, mean of the NC cells.
    n_control_cells
        How many there are.
    cells
        (n, n_genes) float32, real cells of every label, NC included, in file order.
    cell_labels
        (n,) the label of each row of `cells`.
    cell_ranks
        (n,) the place of each row of `cells` among the cells of its label in the file, from 0.
    cell_programs
        (n, 4) 0/1, the program flags of each row of `cells`.
    proportions
        (n_perturbations + 1, 4), NC included.
    """

    genes: np.ndarray
    centroids: pd.DataFrame
    n_cells: pd.Series
    control_centroid: np.ndarray
    n_control_cells: int
    cells: sparse.csr_array
    cell_labels: np.ndarray
    cell_ranks: np.ndarray
    cell_programs: pd.DataFrame
    proportions: pd.DataFrame

    @property
    def perturbed_centroid(self) -> np.ndarray:
        """(n_genes,) float64, mean of all perturbed cells: the reference of Pearson delta."""
        return mean_of_perturbed_cells(self.centroids, self.n_cells)

    def with_cells(self, rows: np.ndarray) -> "Summary":
        """Return the same summary with some of the cells, given by their rows."""
        return replace(
            self,
            cells=self.cells[rows],
            cell_labels=self.cell_labels[rows],
            cell_ranks=self.cell_ranks[rows],
            cell_programs=self.cell_programs.iloc[rows].reset_index(drop=True),
        )

    def without(self, perturbations: Sequence[str]) -> "Summary":
        """Return the summary of a training set in which these were never measured."""
        names = list(perturbations)
        others = np.flatnonzero(~np.isin(self.cell_labels, names))
        return replace(
            self.with_cells(others),
            centroids=self.centroids.drop(index=names),
            n_cells=self.n_cells.drop(index=names),
            proportions=self.proportions.drop(index=names),
        )


def mean_of_perturbed_cells(centroids: pd.DataFrame, n_cells: pd.Series) -> np.ndarray:
    """(n_genes,) float64: the centroids averaged with the number of cells as weight."""
    weights = n_cells[centroids.index].to_numpy(np.float64)
    return weights @ centroids.to_numpy() / weights.sum()


def summarise(
    dataset: Dataset,
    *,
    n_cells_kept: int = N_CELLS_KEPT,
    first_cells: int = 0,
    cells_per_block: int = 256,
) -> Summary:
    """Read X once and keep its centroids and some cells of every label.

    Parameters
    ----------
    dataset
        From `open_dataset`.
    n_cells_kept
        How many cells to keep, as many of each label, spread evenly over its rows in file order.
        Memory: this many cells as sparse float32.
    first_cells
        Keep the first so many cells of every label too, for a cross-validation to compare with.
    cells_per_block
        Block of the reader. The result does not depend on it.

    Raises
    ------
    InputError
        If X holds what log2(1 + counts per 100,000) cannot be.
    """
    labels, codes, n_cells = np.unique(dataset.labels, return_inverse=True, return_counts=True)
    ranks = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    is_spread = spread_evenly(ranks, n_cells[codes], n_cells_kept / len(labels))
    kept = np.flatnonzero(is_spread | (ranks < first_cells))
    sums = np.zeros((len(labels), len(dataset.genes)))
    cells = _GrowingMatrix()
    with progress(len(codes), "reading cells", unit="cell") as bar:
        for rows, columns, block in dataset.blocks(cells_per_block):
            _add_by_label(sums[:, columns], codes[rows], block)
            inside = kept[(kept >= rows.start) & (kept < rows.stop)] - rows.start
            cells.add(block[inside])
            bar.update(block.shape[0] * block.shape[1] / len(dataset.genes))
    is_control = labels == CONTROL_LABEL
    means = pd.DataFrame(sums / n_cells[:, None], index=labels, columns=dataset.genes)
    return Summary(
        genes=dataset.genes,
        centroids=means[~is_control],
        n_cells=pd.Series(n_cells, index=labels)[~is_control],
        control_centroid=means.loc[CONTROL_LABEL].to_numpy(),
        n_control_cells=int(n_cells[is_control][0]),
        cells=type(block)(cells.arrays(), shape=(len(kept), len(dataset.genes))).tocsr(),
        cell_labels=dataset.labels[kept],
        cell_ranks=ranks[kept],
        cell_programs=dataset.program_flags.iloc[kept].reset_index(drop=True),
        proportions=dataset.proportions.loc[labels],
    )


class _GrowingMatrix:
    """Rows (or columns) of a sparse matrix, put one behind the other with no copy at the end.

    Bytearrays grow in place; stacking a list of matrices would take twice the memory.
    """

    def __init__(self) -> None:
        self.data, self.indices = bytearray(), bytearray()
        self.lengths = [np.zeros(1, np.int32)]

    def add(self, matrix: sparse.csr_array | sparse.csc_array) -> None:
        self.data += memoryview(matrix.data.astype(np.float32)).cast("B")
        self.indices += memoryview(matrix.indices.astype(np.int32)).cast("B")
        self.lengths.append(np.diff(matrix.indptr))

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return data (float32), indices and pointers, as scipy takes them."""
        return (
            np.frombuffer(self.data, np.float32),
            np.frombuffer(self.indices, np.int32),
            np.cumsum(np.concatenate(self.lengths), dtype=np.int32),
        )


def spread_evenly(ranks: np.ndarray, n_cells: np.ndarray, n_chosen: float) -> np.ndarray:
    """Whether a cell is one of about `n_chosen` spread evenly over the cells of its label.

    Parameters
    ----------
    ranks, n_cells
        (n,) the place of each cell among those of its label, from 0, and how many these are.
    n_chosen
        How many cells to choose of a label; all, if it has no more.

    Returns
    -------
    (n,) bool.
    """
    step = np.maximum(n_cells / n_chosen, 1.0)
    return ranks // step > (ranks - 1) // step


def _add_by_label(
    sums: np.ndarray, codes: np.ndarray, block: sparse.csr_array | sparse.csc_array
) -> None:
    """Add each cell of `block` to its label's row of `sums`, in the order of the file.

    The order of the additions does not depend on the blocks, so neither do the sums.
    """
    for major, (start, end) in enumerate(pairwise(block.indptr.tolist())):
        values, minor = block.data[start:end], block.indices[start:end].astype(np.intp)
        if block.format == "csr":
            np.add.at(sums[codes[major]], minor, values)
        else:
            np.add.at(sums[:, major], codes[minor], values)
