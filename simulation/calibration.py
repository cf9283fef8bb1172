"""How like the competition a simulated one is: published figures beside those of a world.

    python -m simulation.calibration

Figures are means over worlds of a tenth of the competition's genes and 122 knock-outs. Effects are
on the genes that vary most, as many as 2,000 of all; distances are scaled to so many.
"""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.model.gene_kernels import TERMS
from simulation.factors import CONTROL_PROPORTIONS, MEAN_PROPORTIONS, N_GENES_IN_FULL
from simulation.world import ADIPO, PRE_ADIPO, draw_cells, draw_centroids, draw_world

N_WORLDS, N_KNOCKOUTS = 8, 122
CELLS_OF_A_KNOCKOUT, AT_MOST = 650, 300
"""In training, and of those behind the published distances from the control."""
N_VARIABLE, N_PANEL = 1_000, 2_000
"""Of N_GENES_IN_FULL; smaller worlds have as large a share."""

PUBLISHED = {
    "share of X stored": 702_842_190 / (88_202 * N_GENES_IN_FULL),
    "squared distance of two cells, 1,000 variable genes": 2_326,
    "variance of effects, first axis": 0.368,
    "5 axes": 0.517,
    "10 axes": 0.600,
    "20 axes": 0.696,
    "50 axes": 0.836,
    "first axis in the median knock-out": 0.41,
    "first axis with the share of adipo, rho": 0.966,
    "distance from the control, smallest": 2.2,
    "lower quartile": 2.7,
    "median": 2.9,
    "upper quartile": 3.5,
    "largest": 12.1,
    "distance with the target's expression, rho": 0.31,
    "share of adipo, standard deviation": 0.066,
    "share of adipo, smallest": 0.09,
    "share of adipo, largest": 0.59,
    "share of adipo with the target's rise in fat cells, rho": -0.23,
    "knock-outs of the process's terms": 13,
    "share of adipo with those terms, rho (from p 0.0009)": -0.30,
    **{f"mean {name}": share for name, share in MEAN_PROPORTIONS.items()},
    **{f"control {name}": share for name, share in CONTROL_PROPORTIONS.items()},
}


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
    shares = training.proportions.drop(index=CONTROL_LABEL)
    adipo = shares["adipo"].to_numpy()
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
        of_process.sum(),
        spearmanr(of_process, adipo)[0],
        *shares[list(PROGRAM_FLAGS)].mean(),
        *training.proportions.loc[CONTROL_LABEL, list(PROGRAM_FLAGS)],
    ]
    return pd.Series(figures, list(PUBLISHED))


if __name__ == "__main__":
    simulated = pd.DataFrame([facts(seed) for seed in range(N_WORLDS)]).mean()
    table = pd.DataFrame({"published": PUBLISHED, "simulated": simulated})
    print(table.to_string(float_format="{:,.3f}".format))
