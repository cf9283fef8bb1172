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
from scipy.special import expit, softmax

from perturbation.competition import CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.summary import TrainingCentroids
from perturbation.model.gene_kernels import END, START
from simulation import factors
from simulation.factors import AS_PUBLISHED, N_BACKGROUND, N_MODULES, Told

PRE_ADIPO, ADIPO = (PROGRAM_FLAGS.index(name) for name in (START, END))
CELLS_OF_LEVEL = 500

LARGEST_FRACTION = 0.03
"""No gene is expected to take more of a cell's counts; X then stays below log2(1 + 100,000)."""

# Calibrated to the published figures that `python -m simulation.calibration` prints beside its own.
MEDIAN_DEPTH = 78_000.0
LOG_DEPTH_SD = 0.35
OVERDISPERSION = 0.15
N_POOLS, POOL_SD = 8, 0.5
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
        return pd.Index(self.knockouts).get_indexer(pd.Index(perturbations))


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
    told: Told = AS_PUBLISHED,
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
    told
        How much of what a knock-out does can be known; see `simulation.factors.WORLDS`.
    """
    genes = np.array([f"GENE{i:05d}" for i in range(n_genes)])
    knockouts, own_gene = factors.name_knockouts(rng, genes, n_knockouts)
    names = np.concatenate([genes, knockouts[own_gene < 0]])
    member = factors.draw_membership(rng, len(names))
    process = factors.draw_process(rng, len(names))
    log_fraction = factors.draw_log_fraction(rng, n_genes)
    loadings = factors.draw_loadings(rng, n_genes)
    along = [loadings[ADIPO] - loadings[PRE_ADIPO], *loadings[-N_MODULES:], log_fraction]
    of_own = np.where(own_gene >= 0, np.array(along)[:, own_gene], np.mean(along, axis=1)[:, None])
    row = pd.Index(names).get_indexer(pd.Index(knockouts))
    scores, logits = factors.draw_effects(
        rng, told, member[row], process[row], of_own[:-1].T, of_own[-1]
    )
    return World(
        genes=genes,
        knockouts=knockouts,
        gene_sets=factors.annotation(rng, names, member, process),
        log_fraction=log_fraction,
        loadings=loadings,
        module_scores=scores,
        proportions=_proportions(logits),
        own_gene=np.append(own_gene, -1),
        own_effect=np.append(np.log(OWN_TRANSCRIPT_LEFT) + rng.normal(0, 0.3, n_knockouts), 0),
        pool_shift=rng.normal(0, POOL_SD, (N_POOLS, N_BACKGROUND)),
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
    of_cells = np.hstack([flags, background, world.module_scores[knockouts]])
    depth = np.rint(MEDIAN_DEPTH * np.exp(rng.normal(0, LOG_DEPTH_SD, len(pools))))
    mean = of_cells.astype(np.float32) @ world.loadings
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


def draw_centroids(
    world: World, perturbations: Sequence[str], n_cells: int, rng: np.random.Generator
) -> TrainingCentroids:
    """Centroids and proportions of knock-outs as `n_cells` cells of each would give, without them.

    The mean follows log2(1 + counts per 100,000) at the mean of the factors, from the level of
    control cells that are drawn; noise is normal, with the variance of those cells.

    Parameters
    ----------
    world
        The truth.
    perturbations
        Names among ``world.knockouts``.
    n_cells
        Behind each of them; ten times as many controls.
    rng
        Source of the noise.
    """
    drawn = np.random.default_rng(0)  # the level is part of the truth: always the same cells
    pools = drawn.integers(len(world.pool_shift), size=CELLS_OF_LEVEL)
    levels = draw_cells(world, np.full(CELLS_OF_LEVEL, -1), pools, drawn).expression()
    rows = np.append(world.index_of(perturbations), -1)
    cells_of = [*[n_cells] * len(perturbations), 10 * n_cells]
    each = zip(rows, cells_of, strict=True)
    flags = [_draw_flags(world.proportions[[row] * n_of_row], rng) for row, n_of_row in each]
    shares = np.array([of_row.mean(axis=0) for of_row in flags])
    programs = np.vstack([shares, np.eye(3, 4), [0, 1, 0, 1]]) - world.proportions[-1]
    modules = np.pad(world.module_scores[rows], ((0, 4), (0, 0)))
    loadings = np.delete(world.loadings, range(4, 4 + N_BACKGROUND), axis=0)
    change = np.hstack([programs, modules]) @ loadings
    own = np.flatnonzero(world.own_gene[rows] >= 0)
    change[own, world.own_gene[rows[own]]] += world.own_effect[rows[own]]
    means = np.log2(1 + (2 ** levels.mean(axis=0) - 1) * np.exp(change))
    n_behind = np.append(cells_of, 10 * n_cells * world.proportions[-1])
    means += rng.standard_normal(means.shape) * levels.std(axis=0) / np.sqrt(n_behind)[:, None]
    means = np.maximum(means, 0)
    n = len(perturbations)
    index = pd.Index(perturbations, name="gene")
    return TrainingCentroids(
        genes=world.genes,
        perturbation_centroids=pd.DataFrame(means[:n], index, world.genes),
        n_cells=pd.Series(n_cells, index),
        control_centroid=means[n],
        n_control_cells=10 * n_cells,
        program_centroids=pd.DataFrame(means[n + 1 :], list(PROGRAM_FLAGS), world.genes),
        proportions=pd.DataFrame(shares, [*perturbations, CONTROL_LABEL], list(PROGRAM_FLAGS)),
    )


def _proportions(logits: np.ndarray) -> np.ndarray:
    programs = softmax(logits[:, :3], axis=1)
    return np.column_stack([programs, programs[:, 1] * expit(logits[:, 3])])


def _draw_flags(proportions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 4) one program each; lipo only among adipo."""
    ends = proportions[:, :3].cumsum(axis=1)
    program = (rng.random((len(ends), 1)) >= ends[:, :2]).sum(axis=1)
    lipo = (program == 1) & (rng.random(len(ends)) < proportions[:, 3] / proportions[:, 1])
    return np.column_stack([program == 0, program == 1, program == 2, lipo]).astype(np.int64)
