"""What the 18 GB of training cells say, in one pass: centroids, and some cells of each label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.centroids import TrainingCentroids, add_by_label
from perturbation.data.dataset import Dataset
from perturbation.data.matrix import Sparse
from perturbation.progress import progress

CELLS_KEPT_PER_LABEL = 40
"""Real cells kept of every knock-out and of the controls, whatever the number of labels, so that a
training set without some knock-outs keeps the same cells of the others."""


@dataclass(frozen=True, repr=False)
class Summary:
    """Centroids and some real cells; all that is fitted is fitted from this.

    Attributes
    ----------
    training
        The centroids and proportions.
    cells
        (n, n_genes) float32, real cells of every label, NC included, in file order.
    cell_labels
        (n,) the label of each row of `cells`.
    cell_programs
        (n, 4) 0/1, the program flags of each row of `cells`.
    """

    training: TrainingCentroids
    cells: sparse.csr_array
    cell_labels: np.ndarray
    cell_programs: pd.DataFrame

    def __repr__(self) -> str:
        return f"Summary({self.training.description}; {len(self.cell_labels):,} cells kept)"

    def with_cells(self, rows: np.ndarray) -> Summary:
        """Return the same summary with some of the cells, given by their rows."""
        return replace(
            self,
            cells=self.cells[rows],
            cell_labels=self.cell_labels[rows],
            cell_programs=self.cell_programs.iloc[rows].reset_index(drop=True),
        )

    def without(self, perturbations: Sequence[str]) -> Summary:
        """Return the summary of a training set in which these were never measured."""
        names = list(perturbations)
        others = np.flatnonzero(~np.isin(self.cell_labels, names))
        return replace(self.with_cells(others), training=self.training.without(names))


Watch = Callable[[slice, slice, Sparse], None]
"""Is shown every block that is read: its rows, its columns, its values."""


def summarise(
    dataset: Dataset, *, watch: Watch | None = None, cells_per_block: int = 256
) -> Summary:
    """Read X once: its centroids, and some cells of every label.

    Parameters
    ----------
    dataset
        From `open_dataset`.
    watch
        What else wants to see the cells in this one pass.
    cells_per_block
        Block of the reader. The result does not depend on it.

    Raises
    ------
    InputError
        If X holds what log2(1 + counts per 100,000) cannot be.
    """
    labels, codes, n_cells = np.unique(dataset.labels, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(spread_evenly(dataset.labels, CELLS_KEPT_PER_LABEL))
    is_control = dataset.labels == CONTROL_LABEL
    # For each program: 0 for its control cells, -1 for all others.
    program_codes = dataset.program_flags.to_numpy().T * is_control - 1
    sums = np.zeros((len(labels), len(dataset.genes)))
    program_sums = np.zeros((len(PROGRAM_FLAGS), len(dataset.genes)))
    cells = GrowingMatrix()
    with progress(len(codes), "reading cells", unit="cell") as bar:
        for rows, columns, block in dataset.blocks(cells_per_block):
            # One reading serves all: sums by knock-out, by program of the controls, and cells kept.
            add_by_label(sums[:, columns], codes[rows], block)
            for number, program in enumerate(program_codes):
                add_by_label(program_sums[number : number + 1, columns], program[rows], block)
            cells.add(block[within(kept, rows)])
            if watch:
                watch(rows, columns, block)
            bar.update(block.shape[0] * block.shape[1] / len(dataset.genes))
    n_of_program = (program_codes >= 0).sum(axis=1)
    return Summary(
        _centroids(dataset, labels, n_cells, sums, n_of_program, program_sums),
        cells=cells.finished(len(kept), len(dataset.genes)),
        cell_labels=dataset.labels[kept],
        cell_programs=dataset.program_flags.iloc[kept].reset_index(drop=True),
    )


def _centroids(
    dataset: Dataset,
    labels: np.ndarray,
    n_cells: np.ndarray,
    sums: np.ndarray,
    n_of_program: np.ndarray,
    program_sums: np.ndarray,
) -> TrainingCentroids:
    """Divide the sums by how many cells they are of."""
    means = pd.DataFrame(sums / n_cells[:, None], index=labels, columns=dataset.genes)
    control = means.loc[CONTROL_LABEL].to_numpy()
    of_programs = program_sums / np.maximum(n_of_program, 1)[:, None]
    of_programs[n_of_program == 0] = control
    is_control = labels == CONTROL_LABEL
    return TrainingCentroids(
        genes=dataset.genes,
        perturbation_centroids=means[~is_control],
        n_cells=pd.Series(n_cells, index=labels)[~is_control],
        control_centroid=control,
        n_control_cells=int(n_cells[is_control][0]),
        program_centroids=pd.DataFrame(of_programs, list(PROGRAM_FLAGS), dataset.genes),
        proportions=dataset.proportions.loc[labels],
    )


class GrowingMatrix:
    """Rows (or columns) of a sparse matrix, put one behind the other with no copy at the end.

    Bytearrays grow in place; stacking a list of matrices would take twice the memory.
    """

    def __init__(self) -> None:
        self.data, self.indices = bytearray(), bytearray()
        self.lengths = [np.zeros(1, np.int32)]

    def add(self, matrix: Sparse) -> None:
        """Put the rows of a CSR, or the columns of a CSC matrix behind the others."""
        self.layout = type(matrix)
        self.data += memoryview(matrix.data.astype(np.float32)).cast("B")
        self.indices += memoryview(matrix.indices.astype(np.int32)).cast("B")
        self.lengths.append(np.diff(matrix.indptr))

    def finished(self, n_rows: int, n_columns: int) -> sparse.csr_array:
        """Return all, (n_rows, n_columns) float32."""
        arrays = (
            np.frombuffer(self.data, np.float32),
            np.frombuffer(self.indices, np.int32),
            np.cumsum(np.concatenate(self.lengths), dtype=np.int32),
        )
        return self.layout(arrays, shape=(n_rows, n_columns)).tocsr()


def within(places: np.ndarray, part: slice) -> np.ndarray:
    """Those of the places that lie in a part, counted from its start."""
    return places[(places >= part.start) & (places < part.stop)] - part.start


def spread_evenly(labels: np.ndarray, n_chosen: int) -> np.ndarray:
    """Whether a cell is one of about `n_chosen` spread evenly over the cells of its label.

    Parameters
    ----------
    labels
        (n,) of the cells in file order.
    n_chosen
        How many cells to choose of a label; all, if it has no more.

    Returns
    -------
    (n,) bool.
    """
    groups = pd.Series(labels).groupby(labels)
    ranks = groups.cumcount().to_numpy()
    step = np.maximum(groups.transform("size").to_numpy() / n_chosen, 1.0)
    return ranks // step > (ranks - 1) // step
