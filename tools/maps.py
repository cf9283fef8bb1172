"""Maps of cells or genes by scanpy: places, and pictures of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scanpy as sc
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import sparse

MAP_SIZE = (4.2, 4.1)
N_COMPONENTS = 30


def places(values: np.ndarray, seed: int) -> tuple[np.ndarray, sparse.csr_array]:
    """Place rows by PCA, neighbours and UMAP.

    Parameters
    ----------
    values
        (n, n_columns), at least four rows.
    seed
        Of all three.

    Returns
    -------
    (n, 2) places, and (n, n) 1 where a row is one of another's nearest neighbours.
    """
    rows = AnnData(values.astype(np.float32))
    sc.pp.pca(rows, n_comps=min(N_COMPONENTS, *(n - 1 for n in values.shape)), random_state=seed)
    n_neighbours = min(15, len(values) - 1)
    # subtle: scikit-learn's neighbours are exact, and compile nothing
    sc.pp.neighbors(rows, n_neighbours, transformer="sklearn", random_state=seed)
    sc.tl.umap(rows, random_state=seed)
    near = sparse.csr_array(rows.obsp["distances"]).astype(bool).astype(np.float64)
    return rows.obsm["X_umap"], near


def draw_groups(
    at: np.ndarray, groups: np.ndarray, order: Sequence[str], size: float
) -> Callable[[Figure], None]:
    """Colour by group; of two groups the first is the grey background."""

    def draw(figure: Figure) -> None:
        ax = _frame(figure)
        for number, group in enumerate(order):
            is_back = len(order) == 2 and number == 0
            colour = "C7" if is_back else f"C{number % 7}"
            here = at[groups == group]
            ax.scatter(*here.T, size, color=colour, label=group, lw=0, alpha=0.7, rasterized=True)
        place = {"loc": "outside lower left", "ncols": 4, "handletextpad": 0, "columnspacing": 0.8}
        figure.legend(*ax.get_legend_handles_labels(), markerscale=3, **place)

    return draw


def draw_values(
    at: np.ndarray, values: np.ndarray, label: str, size: float
) -> Callable[[Figure], None]:
    """Colour by number, the largest on top."""

    def draw(figure: Figure) -> None:
        order = np.argsort(values)
        # subtle: a thin edge, as the darkest colour is that of the dark page
        points = _frame(figure).scatter(
            *at[order].T,
            size,
            c=values[order],
            cmap="viridis",
            lw=0.3,
            edgecolors="C7",
            rasterized=True,
        )
        figure.colorbar(points, label=label, location="bottom", aspect=30)

    return draw


def _frame(figure: Figure) -> Axes:
    ax = figure.subplots()
    ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
    return ax
