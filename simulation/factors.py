"""How the parts of a simulated world are drawn: names, sets, loadings, effects of knock-outs."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from perturbation.competition import PROGRAM_FLAGS

N_GENES_IN_FULL = 21_592
"""Fractions of the transcriptome are drawn as if there were this many genes, at any size."""

UNMEASURED_EVERY = 10
"""One knock-out in so many is of a gene that is not measured."""
N_BACKGROUND = 10
N_MODULES = 24
CONTROL_PROPORTIONS = {"pre_adipo": 0.366, "adipo": 0.258, "other": 0.376, "lipo": 0.070}
MEAN_PROPORTIONS = {"pre_adipo": 0.378, "adipo": 0.270, "other": 0.352, "lipo": 0.079}
"""Mean proportions over knock-outs; both rows are the organisers' published figures."""

# Calibrated to the published figures that `python -m simulation.competition` prints beside its own.
LOG_FRACTION_SD = 2.3
PROGRAM_SD = 0.33
BACKGROUND_SD = 0.04
MODULE_SD = 0.035
PROGRAM_SHIFT_SD = 0.2
PRIVATE, COMMON = 0.4, 1.0
"""Size of the part of an effect that is a knock-out's own, and of the part that all share,
relative to the part that its gene sets decide."""
STRENGTH_LOG_SD = 0.5
MEAN_STRENGTH = 0.8
"""Of a knock-out, at the default null share."""


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
    """(names, modules) bool: everyone is in one module, some in two or three."""
    rank = rng.random((n_names, N_MODULES)).argsort(axis=1).argsort(axis=1)
    return rank < 1 + rng.binomial(2, 0.3, n_names)[:, None]


def annotation(rng: np.random.Generator, names: np.ndarray, member: np.ndarray) -> pd.DataFrame:
    """Forget 30 percent of the memberships, add a few false ones and sets without a meaning."""
    known = (member & (rng.random(member.shape) < 0.7)) | (rng.random(member.shape) < 0.02)
    known = np.hstack([known, rng.random(member.shape) < member.mean()])
    row, column = np.nonzero(known)
    return pd.DataFrame({"gene": names[row], "set": [f"SET{i:03d}" for i in column]})


def draw_loadings(rng: np.random.Generator, member: np.ndarray) -> np.ndarray:
    """Programs, background, modules: (factors, G). Background directions mix the modules."""
    n_genes = len(member)
    marked = rng.random((4, n_genes)) < 0.04
    size = PROGRAM_SD * np.array([0.5, 1.2, 0.3, 0.6])[:, None]
    programs = size * rng.standard_normal((4, n_genes)) * np.where(marked, 4, 1)
    modules = MODULE_SD * rng.standard_normal((N_MODULES, n_genes)) * np.where(member.T, 3, 0.5)
    mixture = rng.standard_normal((N_BACKGROUND, N_MODULES)) / N_MODULES**0.5
    own = rng.standard_normal((N_BACKGROUND, n_genes))
    background = BACKGROUND_SD * (own + mixture @ modules / MODULE_SD)
    return np.vstack([programs, background, modules]).astype(np.float32)


def draw_effects(
    rng: np.random.Generator, member: np.ndarray, null_share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw module scores and logits of the proportions, last row control."""
    n_knockouts = len(member)
    strength = np.exp(rng.normal(0, STRENGTH_LOG_SD, n_knockouts))
    strength *= rng.random(n_knockouts) >= null_share
    of_sets = member / np.sqrt(member.sum(axis=1, keepdims=True))
    private = rng.standard_normal((n_knockouts, N_MODULES)) / N_MODULES**0.5
    common = rng.standard_normal(N_MODULES) / N_MODULES**0.5
    scores = strength[:, None] * (of_sets + PRIVATE * private + COMMON * common)
    control, perturbed = (_logits(p) for p in (CONTROL_PROPORTIONS, MEAN_PROPORTIONS))
    of_modules = rng.normal(0, PROGRAM_SHIFT_SD, (N_MODULES, 4))
    shift = of_sets @ (of_modules - of_modules.mean(axis=0))
    logits = control + strength[:, None] * ((perturbed - control) / MEAN_STRENGTH + shift)
    return np.vstack([scores, np.zeros(N_MODULES)]), np.vstack([logits, control])


def _logits(proportions: dict[str, float]) -> np.ndarray:
    """Three log odds of the programs and one of lipo among adipo."""
    lipo = proportions["lipo"] / proportions["adipo"]
    programs = [proportions[name] for name in PROGRAM_FLAGS[:3]]
    return np.append(np.log(programs), np.log(lipo / (1 - lipo)))
