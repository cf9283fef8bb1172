"""What the 18 GB of training cells say, in one pass: centroids, and some cells of each label."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.dataset import Dataset
from perturbation.data.matrix import GrowingMatrix, Sparse
from perturbation.progress import progress

CELLS_KEPT_PER_LABEL = 40
"""Real cells kept of every knock-out and of the controls, whatever the number of labels, so that a
training set without some knock-outs keeps the same cells of the others."""


@dataclass(frozen=True, repr=False)
class TrainingCentroids:
    """Mean profiles and program proportions of a training set; log2(1 + counts per 100,000).

    Attributes
    ----------
    genes
        (n_genes,) names, in the order of the training file.
    perturbation_centroids
        (n_perturbations, n_genes) float64, mean of the cells of each knock-out, NC not included.
    n_cells
        (n_perturbations,) int, cells behind each of them.
    control_centroid
        (n_genes,) float64, mean of the NC cells.
    n_control_cells
        How many there are.
    program_centroids
        (4, n_genes) float64, index pre_adipo, adipo, other, lipo: mean of the NC cells of that
        program; the control centroid where no NC cell is of it. Knock-outs have no part in it.
    proportions
        (n_perturbations + 1, 4) share of cells in each program, NC included.
    """

    genes: np.ndarray
    perturbation_centroids: pd.DataFrame
    n_cells: pd.Series
    control_centroid: np.ndarray
    n_control_cells: int
    program_centroids: pd.DataFrame
    proportions: pd.DataFrame

    def __repr__(self) -> str:
        return f"TrainingCentroids({self.description})"

    @property
    def description(self) -> str:
        """Which data this is, in a few words."""
        n_cells = int(self.n_cells.sum()) + self.n_control_cells
        return f"{n_cells:,} cells x {len(self.genes):,} genes, {len(self.n_cells):,} perturbations"

    @property
    def perturbed_centroid(self) -> np.ndarray:
        """(n_genes,) float64, mean of all perturbed cells: the reference of Pearson delta."""
        weights = self.n_cells.to_numpy(np.float64)
        return weights @ self.perturbation_centroids.to_numpy() / weights.sum()


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
    labels, codes = np.unique(dataset.labels, return_inverse=True)
    kept = np.flatnonzero(spread_evenly(dataset.labels, CELLS_KEPT_PER_LABEL))
    # A cell is added to the row of its label and, if it is a control, to those of its programs.
    programs = len(labels) + np.arange(len(PROGRAM_FLAGS))
    is_of = dataset.program_flags.to_numpy(bool) & (dataset.labels == CONTROL_LABEL)[:, None]
    groups = [codes, *np.where(is_of, programs, -1).T]
    sums = np.zeros((len(labels) + len(programs), len(dataset.genes)))
    cells = GrowingMatrix()
    with progress(len(codes), "reading cells", unit="cell") as bar:
        for rows, columns, block in dataset.blocks(cells_per_block):
            # One reading serves all: sums by knock-out, by program of the controls, and cells kept.
            for group in groups:
                add_by_label(sums[:, columns], group[rows], block)
            cells.add(block[within(kept, rows)])
            if watch:
                watch(rows, columns, block)
            bar.update(block.shape[0] * block.shape[1] / len(dataset.genes))
    n_cells = np.concatenate([np.bincount(codes), is_of.sum(axis=0)])
    return Summary(
        _centroids(dataset, labels, n_cells, sums),
        cells=cells.matrix((len(kept), len(dataset.genes))),
        cell_labels=dataset.labels[kept],
        cell_programs=dataset.program_flags.iloc[kept].reset_index(drop=True),
    )


def _centroids(
    dataset: Dataset, labels: np.ndarray, n_cells: np.ndarray, sums: np.ndarray
) -> TrainingCentroids:
    """Divide the sums, by label and then by program, by how many cells they are of."""
    means = pd.DataFrame(sums / np.maximum(n_cells, 1)[:, None], columns=dataset.genes)
    by_label = means[: len(labels)].set_index(labels)
    by_program = means[len(labels) :].set_axis(list(PROGRAM_FLAGS))
    by_program[n_cells[len(labels) :] == 0] = by_label.loc[CONTROL_LABEL].to_numpy()
    n_of_label = pd.Series(n_cells[: len(labels)], labels)
    return TrainingCentroids(
        genes=dataset.genes,
        perturbation_centroids=by_label.drop(index=CONTROL_LABEL),
        n_cells=n_of_label.drop(index=CONTROL_LABEL),
        control_centroid=by_label.loc[CONTROL_LABEL].to_numpy(),
        n_control_cells=int(n_of_label[CONTROL_LABEL]),
        program_centroids=by_program,
        proportions=dataset.proportions.loc[labels],
    )


def add_by_label(sums: np.ndarray, codes: np.ndarray, block: Sparse) -> None:
    """Add each cell of a block to the row of `sums` that its code names.

    subtle: cells are added one by one in the order of the file, so the order of the additions, and
    with it every bit of the sums, does not depend on how the file was cut into blocks.

    Parameters
    ----------
    sums
        (n_labels, n_columns) float64, changed in place.
    codes
        (n_rows,) int, the row of `sums` of each cell; -1 leaves it out.
    block
        (n_rows, n_columns) CSR or CSC, log2(1 + counts per 100,000).
    """
    for major, (start, end) in enumerate(pairwise(block.indptr.tolist())):
        values, minor = block.data[start:end], block.indices[start:end].astype(np.intp)
        if block.format == "csc":
            labelled = codes[minor] >= 0
            np.add.at(sums[:, major], codes[minor[labelled]], values[labelled])
        elif codes[major] >= 0:
            np.add.at(sums[codes[major]], minor, values)


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
