"""Panels of genes to score on, like the platform's hidden ones."""

from pathlib import Path

import numpy as np
from scipy import sparse

from evaluation.reading import columns_in, read_cells
from perturbation.competition import GENES_FILE, TRAINING_FILE
from perturbation.data.h5ad import open_cells
from perturbation.model.cells import most_variable_genes

PANEL_KINDS = ("variable", "random")
Panel = tuple[str, int, int]
"""Kind, number of genes, and how many panels to draw."""
POOL_FACTOR = 2
"""A variable panel of N genes is drawn from the POOL_FACTOR * N most variable ones."""


def sample_training_cells(
    data: Path, genes: list[str], n_runs: int = 20, cells_per_run: int = 100
) -> sparse.csr_array:
    """Read runs of training cells, spread over the file: enough to rank genes by variance.

    Returns
    -------
    (at most n_runs * cells_per_run, len(genes)), log2(1 + counts per 100,000).
    """
    file = open_cells(data / TRAINING_FILE)
    last = max(0, len(file.labels) - cells_per_run)
    starts = np.linspace(0, last, n_runs).astype(int)
    rows = np.unique(starts[:, None] + np.arange(min(cells_per_run, len(file.labels))))
    return read_cells(file, rows)[:, columns_in(file, genes, data / GENES_FILE)]


def draw_panels(
    cells: sparse.csr_array, scored: np.ndarray, panel: Panel, rng: np.random.Generator
) -> list[np.ndarray]:
    """Draw panels of genes at random: from the most variable of the scored genes, or from all.

    Parameters
    ----------
    cells
        Training cells x genes, log2(1 + counts per 100,000); variable is said of these alone.
    scored
        Columns of the genes that may be scored (those of genes_to_predict).
    panel
        What to draw.
    rng
        Source of the draws.

    Returns
    -------
    List of column arrays, ascending; a single panel of all `scored` if there are no more than
    so many of them.
    """
    kind, n_genes, n_draws = panel
    if len(scored) <= n_genes:
        return [np.sort(scored)]
    pool = scored
    if kind == "variable":
        pool = most_variable_genes(cells, min(len(scored), POOL_FACTOR * n_genes), among=scored)
    return [np.sort(rng.choice(pool, n_genes, replace=False)) for _ in range(n_draws)]


def describe_panels(n_scored: int, kind: str, n_genes: int, n_draws: int) -> str:
    """Say in a few words what `draw_panels` draws."""
    if n_scored <= n_genes:
        return f"all {n_scored:,} scored genes"
    n_pool = min(n_scored, POOL_FACTOR * n_genes) if kind == "variable" else n_scored
    which = " most variable" if kind == "variable" else ""
    return f"{n_draws} x {n_genes:,} genes, drawn from the {n_pool:,}{which} scored ones"
