"""How the parts of a simulated world are drawn: names, sets, loadings, effects of knock-outs."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from perturbation.competition import PROGRAM_FLAGS
from perturbation.model.gene_kernels import TERMS

N_GENES_IN_FULL = 21_592
"""Fractions of the transcriptome are drawn as if there were this many genes, at any size."""

UNMEASURED_EVERY = 10
"""One knock-out in so many is of a gene that is not measured."""
N_BACKGROUND = 10
N_MODULES = 40
N_SETS = 24
CONTROL_PROPORTIONS = {"pre_adipo": 0.366, "adipo": 0.258, "other": 0.376, "lipo": 0.070}
MEAN_PROPORTIONS = {"pre_adipo": 0.378, "adipo": 0.270, "other": 0.352, "lipo": 0.079}
"""Mean proportions over knock-outs; both rows are the organisers' published figures."""

# Calibrated to the published figures that `python -m simulation.calibration` prints beside its own.
LOG_FRACTION_SD = 2.3
PROGRAM_SD = 0.235
BACKGROUND_SD = 0.058
MODULE_SD = 0.006
MODULE_DECAY = 0.4
"""The loadings of module i have the size (i + 1)^-MODULE_DECAY, relative to those of the first."""
FIRST_AXIS_SD = 0.14
"""Of the log odds of adipo, at strength 1."""
OTHER_SHARES_SD = 0.03
COMMON = 0.3
"""Size of the part of the modules' activity that all knock-outs share, beside their own."""
STRENGTH_LOG_SD = 0.7
STRENGTH_OF_EXPRESSION = 0.35
"""Correlation of the log strength with the target's log expression."""
PROCESS_SHARE = 13 / 122
"""Of the knock-outs, those that terms of the process name; published."""


class Told(NamedTuple):
    """Shares of the variance of what knock-outs do that can be known before they are measured."""

    minor: float
    """By gene sets, of the response modules: all axes but the first."""
    first: float
    """By gene sets, of the first axis, which moves cells from pre_adipo to adipo."""
    own: float
    """By the target's own place on each axis: knocking out what rises along it goes back."""
    process: float
    """By the terms that name the process, of the first axis."""


WORLDS = {
    "nothing told": Told(0, 0, 0, 0),
    "sets, minor axes": Told(0.5, 0, 0, 0),
    "own gene": Told(0, 0, 0.4, 0),
    "process terms": Told(0, 0, 0, 0.4),
    "as published": Told(0.2, 0.02, 0.09, 0.09),
    "all told": Told(0.8, 0.6, 0.2, 0.2),
}
"""From nothing to all; the calibrated ones between differ in who tells."""
AS_PUBLISHED = WORLDS["as published"]


def name_knockouts(
    rng: np.random.Generator, genes: np.ndarray, n_knockouts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Names and their columns; -1 for one in ten, the last among them, that is not measured."""
    from_last = np.arange(n_knockouts)[::-1]
    measured = rng.permutation(np.flatnonzero(from_last % UNMEASURED_EVERY))[: len(genes)]
    own_gene = np.full(n_knockouts, -1)
    own_gene[measured] = rng.permutation(len(genes))[: len(measured)]
    unmeasured = [f"UNMEASURED{i:04d}" for i in range(n_knockouts)]
    return np.where(own_gene < 0, unmeasured, genes[own_gene]), own_gene


def draw_log_fraction(rng: np.random.Generator, n_genes: int) -> np.ndarray:
    """Log-normal with mean 1 in N_GENES_IN_FULL; quantiles, so that few genes resemble many."""
    quantiles = norm.ppf((rng.permutation(n_genes) + 0.5) / n_genes)
    return LOG_FRACTION_SD * (quantiles - LOG_FRACTION_SD / 2) - np.log(N_GENES_IN_FULL)


def draw_membership(rng: np.random.Generator, n_names: int) -> np.ndarray:
    """(names, N_SETS) bool: everyone is in one set, some in two or three."""
    rank = rng.random((n_names, N_SETS)).argsort(axis=1).argsort(axis=1)
    return rank < 1 + rng.binomial(2, 0.3, n_names)[:, None]


def draw_process(rng: np.random.Generator, n_names: int) -> np.ndarray:
    """(names, 3) bool, columns as TERMS: part of the process, for it, against it."""
    kind = rng.random(n_names) / PROCESS_SHARE
    return np.column_stack([kind < 1, kind < 0.5, (kind >= 0.5) & (kind < 0.8)])


def annotation(
    rng: np.random.Generator, names: np.ndarray, member: np.ndarray, process: np.ndarray
) -> pd.DataFrame:
    """Forget 30 percent of the memberships, add a few false ones and sets without a meaning."""
    known = (member & (rng.random(member.shape) < 0.7)) | (rng.random(member.shape) < 0.02)
    known = np.hstack([known, rng.random(member.shape) < member.mean(), process])
    row, column = np.nonzero(known)
    sets = np.array([*(f"SET{i:03d}" for i in range(2 * N_SETS)), *TERMS])
    return pd.DataFrame({"gene": names[row], "set": sets[column]})


def draw_loadings(rng: np.random.Generator, n_genes: int) -> np.ndarray:
    """Programs, background, modules: (factors, G). Background directions mix the modules."""
    marked = rng.random((4, n_genes)) < 0.04
    size = PROGRAM_SD * np.array([0.5, 1.2, 0.3, 0.6])[:, None]
    programs = size * rng.standard_normal((4, n_genes)) * np.where(marked, 4, 1)
    decay = MODULE_SD * (1 + np.arange(N_MODULES))[:, None] ** -MODULE_DECAY
    marked = rng.random((N_MODULES, n_genes)) < 0.07
    modules = decay * rng.standard_normal((N_MODULES, n_genes)) * np.where(marked, 3, 0.5)
    mixture = rng.standard_normal((N_BACKGROUND, N_MODULES)) / N_MODULES**0.5
    own = rng.standard_normal((N_BACKGROUND, n_genes))
    background = BACKGROUND_SD * (own + mixture @ (modules / decay))
    return np.vstack([programs, background, modules]).astype(np.float32)


def draw_effects(
    rng: np.random.Generator,
    told: Told,
    member: np.ndarray,
    process: np.ndarray,
    own_loadings: np.ndarray,
    own_expression: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw module scores and logits of the proportions, last row control.

    Parameters
    ----------
    told
        What explains how much of them; the rest is each knock-out's own.
    member, process
        (K, N_SETS) and (K, 3) bool.
    own_loadings
        (K, 1 + N_MODULES) of the knocked-out gene: adipo minus pre_adipo, and modules.
    own_expression
        (K,) log fraction of the knocked-out gene.
    """
    shape = own_loadings.shape
    unexplained = np.sqrt(1 - STRENGTH_OF_EXPRESSION**2) * rng.standard_normal(shape[0])
    log_strength = STRENGTH_OF_EXPRESSION * _standard(own_expression) + unexplained
    strength = np.exp(STRENGTH_LOG_SD * log_strength)
    axes = np.eye(shape[1])[0]
    by_sets = _standard(_standard(member) @ rng.standard_normal((N_SETS, shape[1])))
    by_process = _standard(process @ np.array([-1.0, -0.5, 1.0]))[:, None]
    parts = [
        (np.where(axes, told.first, told.minor), by_sets),
        (told.own, -_standard(own_loadings)),
        (told.process * axes, by_process),
    ]
    parts.append((np.maximum(1 - sum(share for share, _ in parts), 0), rng.standard_normal(shape)))
    scores = np.sum([np.sqrt(share) * part for share, part in parts], axis=0)
    common = COMMON * rng.standard_normal(N_MODULES)
    modules = strength[:, None] * (scores[:, 1:] + common)
    control, perturbed = (_logits(p) for p in (CONTROL_PROPORTIONS, MEAN_PROPORTIONS))
    shift = FIRST_AXIS_SD * scores[:, :1] * np.array([-0.5, 1.0, -0.5, 0.5])
    shift += OTHER_SHARES_SD * rng.standard_normal((len(scores), 4))
    logits = control + strength[:, None] * ((perturbed - control) / strength.mean() + shift)
    return np.vstack([modules, np.zeros(N_MODULES)]), np.vstack([logits, control])


def _standard(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and variance 1; of 0 where they are constant."""
    deviations = values - values.mean(axis=0)
    return deviations / np.maximum(deviations.std(axis=0), 1e-9)


def _logits(proportions: dict[str, float]) -> np.ndarray:
    """Three log odds of the programs and one of lipo among adipo."""
    lipo = proportions["lipo"] / proportions["adipo"]
    programs = [proportions[name] for name in PROGRAM_FLAGS[:3]]
    return np.append(np.log(programs), np.log(lipo / (1 - lipo)))
