"""What the 18 GB of training cells say, in one pass: mean profiles, and some cells of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CONTROL_LABEL
from perturbation.dataset import Dataset
from perturbation.progress import progress


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
    cell_programs: pd.DataFrame
    proportions: pd.DataFrame

    @property
    def perturbed_centroid(self) -> np.ndarray:
        """(n_genes,) float64, mean of all perturbed cells: the reference of Pearson delta."""
        return mean_of_perturbed_cells(self.centroids, self.n_cells)

    def without(self, perturbations: Sequence[str]) -> "Summary":
        """Return the summary of a training set in which these were never measured."""
        kept = np.flatnonzero(~np.isin(self.cell_labels, list(perturbations)))
        return replace(
            self,
            centroids=self.centroids.drop(index=list(perturbations)),
            n_cells=self.n_cells.drop(index=list(perturbations)),
            cells=self.cells[kept],
            cell_labels=self.cell_labels[kept],
            cell_programs=self.cell_programs.iloc[kept].reset_index(drop=True),
            proportions=self.proportions.drop(index=list(perturbations)),
        )


def mean_of_perturbed_cells(centroids: pd.DataFrame, n_cells: pd.Series) -> np.ndarray:
    """(n_genes,) float64: the centroids averaged with the number of cells as weight."""
    weights = n_cells.to_numpy(np.float64)
    return weights @ centroids.to_numpy() / weights.sum()


def summarise(
    dataset: Dataset,
    *,
    n_cells_kept: int = 4000,
    among_first: int | None = None,
    cells_per_block: int = 512,
) -> Summary:
    """Read X once and keep its centroids and some cells of every label.

    Parameters
    ----------
    dataset
        From `open_dataset`.
    n_cells_kept
        How many cells to keep, as many of each label, spread evenly over its rows in file order.
        Memory: this many cells as sparse float32.
    among_first
        Keep cells only among so many first rows of each label. None: among all.
    cells_per_block
        Block of the reader. The result does not depend on it.

    Raises
    ------
    InputError
        If X holds what log2(1 + counts per 100,000) cannot be.
    """
    labels, codes, n_cells = np.unique(dataset.labels, return_inverse=True, return_counts=True)
    kept = _rows_to_keep(codes, n_cells_kept, among_first)
    sums = np.zeros((len(labels), len(dataset.genes)))
    pieces = []
    with progress(len(codes), "reading cells", unit="cell") as bar:
        for rows, columns, block in dataset.blocks(cells_per_block):
            _add_by_label(sums, codes[rows], columns.start, block)
            inside = kept[(kept >= rows.start) & (kept < rows.stop)] - rows.start
            pieces.append(block[inside].astype(np.float32))
            bar.update(block.shape[0] * block.shape[1] / len(dataset.genes))
    by_rows = all(piece.shape[1] == len(dataset.genes) for piece in pieces)
    is_control = labels == CONTROL_LABEL
    means = pd.DataFrame(sums / n_cells[:, None], index=labels, columns=dataset.genes)
    return Summary(
        genes=dataset.genes,
        centroids=means[~is_control],
        n_cells=pd.Series(n_cells, index=labels)[~is_control],
        control_centroid=means.loc[CONTROL_LABEL].to_numpy(),
        n_control_cells=int(n_cells[is_control][0]),
        cells=(sparse.vstack if by_rows else sparse.hstack)(pieces, format="csr"),
        cell_labels=dataset.labels[kept],
        cell_programs=dataset.program_flags.iloc[kept].reset_index(drop=True),
        proportions=dataset.proportions.loc[labels],
    )


def _rows_to_keep(codes: np.ndarray, most: int, among_first: int | None) -> np.ndarray:
    """Row numbers, ascending: about `most`, as many of each label, spread over its rows."""
    by_label = pd.Series(codes).groupby(codes)
    rank = by_label.cumcount().to_numpy()
    eligible = by_label.transform("size").clip(upper=among_first).to_numpy()
    step = np.maximum(eligible * by_label.ngroups / most, 1.0)
    return np.flatnonzero((rank < eligible) & (rank // step > (rank - 1) // step))


def _add_by_label(
    sums: np.ndarray, codes: np.ndarray, first_column: int, block: sparse.csr_array
) -> None:
    """Add each row of `block` to its label's row of `sums`, cell by cell in file order.

    The order of the additions does not depend on the blocks, so neither do the sums.
    """
    start_of_row = codes * sums.shape[1] + first_column
    position = np.repeat(start_of_row, np.diff(block.indptr)) + block.indices
    np.add.at(sums.reshape(-1), position, block.data)
