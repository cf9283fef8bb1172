"""The model behind simulated competitions: genes, programs, knock-outs, and cells drawn from them.

Expected counts are log-linear in a few factors of a cell,

    log(mean count) = log(depth) + log(fraction of the gene) + factors of the cell @ loadings,

where the factors are the cell's program, ten background directions (a pool shifts them) and
the activities of response modules, which a knock-out moves. Counts are negative binomial. A gene's
sets decide which modules its knock-out moves, so knock-outs of related genes resemble each other,
and ``gene_sets`` tells it as incompletely as real annotation does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from simulation.factors import (
    N_BACKGROUND,
    annotation,
    draw_effects,
    draw_loadings,
    draw_log_fraction,
    draw_membership,
    name_knockouts,
)

LARGEST_FRACTION = 0.03
"""No gene is expected to take more of a cell's counts; X then stays below log2(1 + 100,000)."""

# Calibrated to the published figures that `python -m simulation.competition` prints beside its own.
MEDIAN_DEPTH = 78_000.0
LOG_DEPTH_SD = 0.35
OVERDISPERSION = 0.15
POOL_SD = 0.5
OWN_TRANSCRIPT_LEFT = 0.4
"""Median share of the target's own messenger that a knock-out leaves."""


@dataclass(frozen=True)
class World:
    """What is true of one simulated competition. Rows of per-knock-out arrays: last is control."""

    genes: np.ndarray
    """(G,) names of the measured genes."""
    knockouts: np.ndarray
    """(K,) names: training, held-out, targets. Some are no measured gene."""
    gene_sets: pd.DataFrame
    """Columns gene, set: what annotation knows, with omissions and errors."""
    log_fraction: np.ndarray
    """(G,) log of the expected share of a control-like cell's counts."""
    loadings: np.ndarray
    """(4 + background + modules, G) change of log mean per unit of factor, float32."""
    module_scores: np.ndarray
    """(K + 1, modules) activity of the response modules."""
    proportions: np.ndarray
    """(K + 1, 4) expected shares in the order of PROGRAM_FLAGS."""
    own_gene: np.ndarray
    """(K + 1,) column of the knocked-out gene, -1 where it is not measured."""
    own_effect: np.ndarray
    """(K + 1,) change of the log mean of that column."""
    pool_shift: np.ndarray
    """(pools, background) mean of the background factors in each pool."""

    def index_of(self, perturbations: Iterable[str]) -> np.ndarray:
        """Row of each name in the per-knock-out arrays; ``NC`` is the last, -1."""
        row = {name: i for i, name in enumerate(self.knockouts)} | {CONTROL_LABEL: -1}
        return np.array([row[name] for name in perturbations], dtype=np.intp)


@dataclass(frozen=True)
class Cells:
    """Simulated cells."""

    counts: np.ndarray
    """(n, G) raw counts, int64."""
    depth: np.ndarray
    """(n,) counts of the whole transcriptome, the divisor of the unit; float64 whole numbers."""
    flags: np.ndarray
    """(n, 4) int64 in the order of PROGRAM_FLAGS."""

    def expression(self) -> np.ndarray:
        """(n, G) float64, log2(1 + counts per 100,000)."""
        return np.log2(1 + 1e5 * self.counts / self.depth[:, None])


def draw_world(
    rng: np.random.Generator,
    *,
    n_genes: int,
    n_knockouts: int,
    n_pools: int = 8,
    null_share: float = 0.3,
) -> World:
    """Draw the truth of one competition.

    Parameters
    ----------
    rng
        Source of all randomness.
    n_genes
        Measured genes.
    n_knockouts
        Training, held-out and target knock-outs together; all come from one distribution.
    n_pools
        Pools of cells.
    null_share
        Share of knock-outs that change nothing but their own transcript.
    """
    genes = np.array([f"GENE{i:05d}" for i in range(n_genes)])
    knockouts, own_gene = name_knockouts(rng, genes, n_knockouts)
    names = np.concatenate([genes, knockouts[own_gene < 0]])
    member = draw_membership(rng, len(names))
    row = pd.Index(names).get_indexer(knockouts)
    scores, logits = draw_effects(rng, member[row], null_share)
    return World(
        genes=genes,
        knockouts=knockouts,
        gene_sets=annotation(rng, names, member),
        log_fraction=draw_log_fraction(rng, n_genes),
        loadings=draw_loadings(rng, member[:n_genes]),
        module_scores=scores,
        proportions=_proportions(logits),
        own_gene=np.append(own_gene, -1),
        own_effect=np.append(np.log(OWN_TRANSCRIPT_LEFT) + rng.normal(0, 0.3, n_knockouts), 0),
        pool_shift=rng.normal(0, POOL_SD, (n_pools, N_BACKGROUND)),
    )


def draw_cells(
    world: World, knockouts: np.ndarray, pools: np.ndarray, rng: np.random.Generator
) -> Cells:
    """Draw one cell for each entry of `knockouts`.

    Parameters
    ----------
    world
        The truth.
    knockouts
        (n,) rows of the world's per-knock-out arrays, -1 for control.
    pools
        (n,) pool of each cell.
    rng
        Source of all randomness.
    """
    flags = _draw_flags(world.proportions[knockouts], rng)
    background = world.pool_shift[pools] + rng.standard_normal((len(pools), N_BACKGROUND))
    factors = np.hstack([flags, background, world.module_scores[knockouts]])
    depth = np.rint(MEDIAN_DEPTH * np.exp(rng.normal(0, LOG_DEPTH_SD, len(pools))))
    mean = factors.astype(np.float32) @ world.loadings
    mean += world.log_fraction.astype(np.float32)
    log_depth = np.log(depth).astype(np.float32)[:, None]
    mean += log_depth
    own = np.flatnonzero(world.own_gene[knockouts] >= 0)
    mean[own, world.own_gene[knockouts[own]]] += world.own_effect[knockouts[own]]
    np.minimum(mean, log_depth + np.float32(np.log(LARGEST_FRACTION)), out=mean)
    np.exp(mean, out=mean)
    # Gamma of mean 1 times Poisson is negative binomial.
    mean *= rng.standard_gamma(1 / OVERDISPERSION, mean.shape, dtype=np.float32) * OVERDISPERSION
    return Cells(rng.poisson(mean), depth, flags)


def expected_values(
    world: World, perturbations: Sequence[str] | np.ndarray, n_cells: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Centroids and proportions of any of the world's knock-outs, from cells of their own.

    Parameters
    ----------
    world
        The truth.
    perturbations
        Names among ``world.knockouts``, or ``NC``; targets are fresh: no file holds their cells.
    n_cells
        Cells drawn for each, over all pools. Peak memory is about 40 bytes a cell and gene.
    rng
        Source of all randomness.

    Returns
    -------
    centroids
        (n, G) float64, unit of X: the mean of `n_cells` cells. Its error falls as their root.
    proportions
        (n, 4) columns PROGRAM_FLAGS, exact.
    """
    rows = world.index_of(perturbations)
    centroids = np.empty((len(rows), len(world.genes)))
    for i, row in enumerate(rows):
        pools = rng.integers(len(world.pool_shift), size=n_cells)
        cells = draw_cells(world, np.full(n_cells, row), pools, rng)
        centroids[i] = cells.expression().mean(axis=0)
    index = pd.Index(perturbations, name="gene")
    return (
        pd.DataFrame(centroids, index, world.genes),
        pd.DataFrame(world.proportions[rows], index, list(PROGRAM_FLAGS)),
    )


def _proportions(logits: np.ndarray) -> np.ndarray:
    programs = np.exp(logits[:, :3])
    programs /= programs.sum(axis=1, keepdims=True)
    lipo_given_adipo = 1 / (1 + np.exp(-logits[:, 3]))
    return np.column_stack([programs, programs[:, 1] * lipo_given_adipo])


def _draw_flags(proportions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 4) one program each; lipo only among adipo."""
    ends = proportions[:, :3].cumsum(axis=1)
    program = (rng.random((len(ends), 1)) >= ends[:, :2]).sum(axis=1)
    lipo = (program == 1) & (rng.random(len(ends)) < proportions[:, 3] / proportions[:, 1])
    return np.column_stack([program == 0, program == 1, program == 2, lipo]).astype(np.int64)
