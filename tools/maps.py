"""Effects, and maps of cells or genes by scanpy, with a sentence on how neighbours go together."""

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from matplotlib.figure import Figure
from sklearn.preprocessing import normalize

from evaluation.report.figures import Picture, short
from evaluation.report.words import rank_correlation
from perturbation.data.summary import TrainingCentroids

SIZE = (4.2, 4.1)
N_COMPONENTS = 30
DOTS = (4, 24)
"""Area of a point in square points where there are many, and where there are few."""


def effects_from(training: TrainingCentroids, centre: np.ndarray) -> pd.DataFrame:
    """(n_knockouts, n_genes) centroids minus `centre`; 0 for a target's own transcript."""
    effects = training.perturbation_centroids - centre
    for name in effects.index.intersection(effects.columns):
        effects.loc[name, name] = 0.0
    return effects


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
        self.near = normalize((rows.obsp["distances"] > 0).astype(np.float64), "l1")

    def numbers(self, values: np.ndarray, label: str, says: str) -> Picture:
        """Colour by number, the largest on top."""
        order = np.argsort(values)
        likeness, _ = rank_correlation(values, self.near @ values)

        def draw(figure: Figure) -> None:
            ax = figure.subplots()
            # subtle: a thin edge, as the darkest colour is that of the dark page
            x, y = self.at[order].T
            points = ax.scatter(x, y, self.dot, values[order], edgecolors="C7", linewidths=0.3)
            points.set(cmap="viridis", rasterized=True)
            ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
            figure.colorbar(points, label=label, location="bottom", aspect=30)

        says = f"{says}; a value goes with its neighbours' by a rank correlation of {likeness:.2f}."
        return Picture(draw, f"{self.what} {label}", says, SIZE)

    def groups(self, groups: pd.Series | np.ndarray, label: str) -> Picture:
        """Colour by group, the smallest on top."""
        groups = np.asarray(groups, str)
        shares = pd.Series(groups).value_counts(normalize=True)

        def draw(figure: Figure) -> None:
            ax = figure.subplots()
            for number, group in enumerate(shares.index):
                x, y = self.at[groups == group].T
                points = ax.scatter(x, y, self.dot, label=short(group), linewidths=0, alpha=0.7)
                points.set(color=f"C{number % 7}", rasterized=True)
            ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")
            figure.legend(loc="outside lower left", ncols=4)

        is_of = pd.get_dummies(pd.Series(groups), dtype=float)
        same = (self.near @ is_of.to_numpy() * is_of).sum() / is_of.sum()
        most = (same / shares).idxmax()
        says = (
            f"Coloured by {label}. Of the neighbours of {most} {same[most]:.0%} are {most} too, by "
            f"chance {shares[most]:.0%} would be: no group is further apart."
        )
        return Picture(draw, f"{self.what} {label}", says, SIZE)
