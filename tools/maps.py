"""Maps of cells or genes by scanpy, each with a sentence on how neighbours go together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from matplotlib.figure import Figure
from scipy import sparse

from evaluation.report.figures import legend_below, picture
from evaluation.report.words import rank_correlation

SIZE = (4.2, 4.1)
N_COMPONENTS = 30
DOTS = (4, 24)
"""Area of a point in square points where there are many, and where there are few."""


class Map:
    """Places of rows by PCA, neighbours and UMAP.

    Parameters
    ----------
    values
        (n, n_columns), at least four rows.
    what
        What the rows are.
    seed
        Of all three.
    """

    def __init__(self, values: np.ndarray, what: str, seed: int) -> None:
        rows = AnnData(values.astype(np.float32))
        n_components = min(N_COMPONENTS, *(n - 1 for n in values.shape))
        sc.pp.pca(rows, n_comps=n_components, random_state=seed)
        # subtle: scikit-learn's neighbours are exact, and compile nothing
        n_neighbours = min(15, len(values) - 1)
        sc.pp.neighbors(rows, n_neighbours, transformer="sklearn", random_state=seed)
        sc.tl.umap(rows, random_state=seed)
        self.at, self.what = rows.obsm["X_umap"], f"Map of {len(values):,} {what} coloured by"
        self.dot = float(np.clip(8000 / len(values), *DOTS))
        self.near = sparse.csr_array(rows.obsp["distances"]).astype(bool).astype(np.float64)

    def numbers(self, values: np.ndarray, label: str, says: str) -> str:
        """Colour by number, the largest on top."""
        order = np.argsort(values)
        around = self.near @ values / np.maximum(self.near.sum(axis=1), 1)
        likeness, _ = rank_correlation(values, around)

        def draw(figure: Figure) -> None:
            ax = figure.subplots()
            # subtle: a thin edge, as the darkest colour is that of the dark page
            x, y = self.at[order].T
            points = ax.scatter(x, y, self.dot, values[order], edgecolors="C7", linewidths=0.3)
            points.set(cmap="viridis", rasterized=True)
            ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
            figure.colorbar(points, label=label, location="bottom", aspect=30)

        says = f"{says}; a value goes with its neighbours' by a rank correlation of {likeness:.2f}."
        return picture(draw, f"{self.what} {label}", says, SIZE)

    def groups(self, groups: np.ndarray, label: str, of_one: str = "") -> str:
        """Colour by group; all but `of_one`, if given, are the grey background."""
        order = sorted(set(groups) - {of_one}) + [of_one] * bool(of_one)

        def draw(figure: Figure) -> None:
            ax = figure.subplots()
            for number, group in enumerate(order):
                x, y = self.at[groups == group].T
                points = ax.scatter(x, y, self.dot, label=group, linewidths=0, alpha=0.7)
                is_back = of_one and group != of_one
                points.set(color="C7" if is_back else f"C{number % 7}", rasterized=True)
            ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
            legend_below(figure, ax, 4)

        same, chance = agreement(self.near, groups, [of_one] if of_one else order)
        verdict = "stand apart" if same > max(1.5 * chance, chance + 0.05) else "are mixed"
        whose = f"of the neighbours of {of_one}" if of_one else "of a cell's neighbours"
        says = (
            f"Coloured by {label}: {same:.0%} {whose} are of the same group, chance would give "
            f"{chance:.0%}: the groups {verdict}."
        )
        return picture(draw, f"{self.what} {label}", says, SIZE)


def agreement(near: sparse.csr_array, groups: np.ndarray, asked: list[str]) -> tuple[float, float]:
    """Share of neighbours of the same group, over rows of the groups asked, and by chance."""
    rows, columns = near.tocoo().coords
    of_asked = np.isin(groups[rows], asked)
    same = (groups[rows] == groups[columns])[of_asked].mean()
    shares = pd.Series(groups).value_counts(normalize=True)[asked]
    return float(same), float((shares**2).sum() / shares.sum())
