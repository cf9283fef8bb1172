"""What a page shows of one knock-out: its effect and its cells, as every contender sees them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin


@dataclass(frozen=True)
class Example:
    """A held-out knock-out in the first repeat and on its first panel.

    Attributes
    ----------
    effects
        (n_genes, 1 + n_contenders) delta_from_perturbed, log2(1 + counts per 100,000); columns
        "true" and every contender.
    cells
        One row a cell: of ("true" or a contender), x, y (its place along the first two principal
        components of the true cells) and program (whose mean control cell is nearest).
    """

    effects: pd.DataFrame
    cells: pd.DataFrame


def example_of(
    cells: Mapping[str, np.ndarray],
    mean: pd.Series,
    centre: np.ndarray,
    program_centroids: pd.DataFrame,
) -> Example:
    """Look at one knock-out on one panel.

    Parameters
    ----------
    cells
        "true" and every contender: (n, n_genes).
    mean
        (n_genes,) true centroid by gene.
    centre
        (n_genes,) perturbed centroid of the training cells.
    program_centroids
        (n_programs, n_genes).
    """
    deltas = {of: rows.mean(axis=0, dtype=np.float64) - centre for of, rows in cells.items()}
    deltas["true"] = mean.to_numpy() - centre
    axes = PCA(2, svd_solver="full").fit(cells["true"])
    places = []
    for of, rows in cells.items():
        nearest = pairwise_distances_argmin(rows, program_centroids.to_numpy())
        place = pd.DataFrame(axes.transform(rows), columns=["x", "y"])
        places.append(place.assign(of=of, program=program_centroids.index[nearest]))
    return Example(pd.DataFrame(deltas, index=mean.index), pd.concat(places, ignore_index=True))
