"""How like the competition a simulated one is: published figures beside those of a world.

    python -m simulation.calibration

Figures are means over worlds of a tenth of the competition's genes and 122 knock-outs. Effects are
on the genes that vary most, as many as 2,000 of all; distances are scaled to so many.
"""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from perturbation.competition import CONTROL_LABEL
from perturbation.model.gene_kernels import TERMS
from simulation.competition import STORED_SHARE
from simulation.factors import N_GENES_IN_FULL
from simulation.world import ADIPO, PRE_ADIPO, draw_cells, draw_centroids, draw_world

N_WORLDS, N_KNOCKOUTS = 8, 122
CELLS_OF_A_KNOCKOUT, AT_MOST = 650, 300
"""In training, and of those behind the published distances from the control."""
N_VARIABLE, N_PANEL = 1_000, 2_000
"""Of N_GENES_IN_FULL; smaller worlds have as large a share."""

PUBLISHED = (
    pd.Series(
        {
            "share of X stored": [STORED_SHARE],
            "squared distance of two cells, 1,000 variable genes": [2_326],
            "variance of effects, first axis / 5 / 10 / 20 / 50": [
                0.368,
                0.517,
                0.600,
                0.696,
                0.836,
            ],
            "first axis in the median knock-out": [0.41],
            "first axis with the share of adipo, rho": [0.966],
            "distance from the control, smallest, quartiles, largest": [2.2, 2.7, 2.9, 3.5, 12.1],
            "distance with the target's expression, rho": [0.31],
            "share of adipo, standard deviation, smallest, largest": [0.066, 0.09, 0.59],
            "share of adipo with the target's rise in fat cells, rho": [-0.23],
            "share of adipo with the process's terms, rho (from p 0.0009)": [-0.30],
        }
    )
    .explode()
    .astype(float)
)
"""One row a figure; the names of some stand several times."""


def facts(seed: int, n_genes: int = N_GENES_IN_FULL // 10) -> pd.Series:
    """Return the figures of one world, in the order of PUBLISHED."""
    rng = np.random.default_rng(seed)
    world = draw_world(rng, n_genes=n_genes, n_knockouts=N_KNOCKOUTS)
    names = list(world.knockouts)
    rows, pools = rng.integers(-1, N_KNOCKOUTS, 600), rng.integers(len(world.pool_shift), size=600)
    x = draw_cells(world, rows, pools, rng).expression()
    variable = np.argsort(-x.var(axis=0))
    part = n_genes / N_GENES_IN_FULL
    panel = variable[: round(N_PANEL * part)]
    training = draw_centroids(world, names, CELLS_OF_A_KNOCKOUT, rng)
    effects = training.perturbation_centroids.to_numpy()[:, panel]
    effects -= effects.mean(axis=0)
    axes, sizes, _ = np.linalg.svd(effects, full_matrices=False)
    along_first = (axes[:, 0] * sizes[0]) ** 2 / (effects**2).sum(axis=1)
    adipo = training.proportions["adipo"].drop(CONTROL_LABEL).to_numpy()
    few = draw_centroids(world, names, AT_MOST, rng)
    from_control = few.perturbation_centroids.to_numpy() - few.control_centroid
    distances = np.linalg.norm(from_control[:, panel], axis=1)
    distances *= np.sqrt(N_PANEL / len(panel))
    own = world.own_gene[:-1]
    rise = (world.loadings[ADIPO] - world.loadings[PRE_ADIPO])[own]
    sets = world.gene_sets
    of_process = np.isin(names, sets.loc[sets["set"] == next(iter(TERMS)), "gene"])
    figures = [
        (x > 0).mean(),
        2 * N_VARIABLE * x.var(axis=0)[variable[: round(N_VARIABLE * part)]].mean(),
        *(np.cumsum(sizes**2) / (sizes**2).sum())[[0, 4, 9, 19, 49]],
        np.median(along_first),
        abs(spearmanr(axes[:, 0], adipo)[0]),
        *np.quantile(distances, [0, 0.25, 0.5, 0.75, 1]),
        spearmanr(distances[own >= 0], world.log_fraction[own[own >= 0]])[0],
        *(adipo.std(), adipo.min(), adipo.max()),
        spearmanr(rise[own >= 0], adipo[own >= 0])[0],
        spearmanr(of_process, adipo)[0],
    ]
    return pd.Series(figures, PUBLISHED.index)


if __name__ == "__main__":
    simulated = pd.concat([facts(seed) for seed in range(N_WORLDS)], axis=1).mean(axis=1)
    table = pd.DataFrame({"published": PUBLISHED, "simulated": simulated})
    print(table.to_string(float_format="{:,.3f}".format))
