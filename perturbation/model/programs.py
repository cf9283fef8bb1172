"""Program proportions of knock-outs nobody measured, and the constraints they obey."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, L1_WEIGHTS, PROGRAM_FLAGS, PROGRAMS
from perturbation.data.summary import TrainingCentroids
from perturbation.model.effects import TINY
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.gene_kernels import END, START, gene_kernels, process_terms, source_weights
from perturbation.model.parts import Predictor
from perturbation.model.stacking import trust

SHARES_OF_MEDIAN = (0.0, 0.25, 0.5, 0.75, 1.0)
"""0 predicts the control's proportions, 1 the median knock-out's."""

RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
"""In units of the kernel's mean diagonal."""
DECIMALS = 6


def predict_proportions(
    training: TrainingCentroids,
    gene_features: GeneFeatures | None,
    predictor: Predictor,
    perturbations: Sequence[str],
) -> pd.DataFrame:
    """Proportions of each perturbation: its own if it was measured, else a prediction.

    A constant between the control and the median knock-out, as leave-one-out over the training
    knock-outs says (L1 is minimised by medians, but most knock-outs do little), plus kernel ridge
    regression on what is known about the genes, if that clearly helps knock-outs left out.

    Parameters
    ----------
    training
        Its proportions, NC included, are learnt from.
    gene_features
        From `load_gene_features`.
    predictor
        Of centroids, fitted; not used.
    perturbations
        Whose proportions are wanted.

    Returns
    -------
    DataFrame (len(perturbations), 4), index `perturbations`, valid after rounding to 6 decimals.
    """
    proportions = training.proportions
    parts = proportions[list(PROGRAMS)].copy()  # and what else the L1 metric compares
    parts["lipo_given_adipo"] = (proportions["lipo"] / proportions["adipo"]).fillna(0).clip(0, 1)
    knockouts = parts.drop(index=CONTROL_LABEL)
    constant = _constant(knockouts, parts.T[CONTROL_LABEL])
    kernels = _kernels(training, gene_features, [*knockouts.index, *perturbations], len(knockouts))
    predicted = constant + _deviations(knockouts.to_numpy() - constant, kernels)
    table = pd.DataFrame(predicted, index=list(perturbations), columns=list(parts))
    measured = [name for name in perturbations if name in parts.index]
    table.loc[measured] = parts.loc[measured]
    return _valid(table)


def _constant(knockouts: pd.DataFrame, control: pd.Series) -> np.ndarray:
    """(4,) between the control and the median, where left-out knock-outs lose least."""
    if len(knockouts) < 2:
        return control.to_numpy()
    others = np.stack([knockouts.drop(index=name).median() for name in knockouts.index])
    losses = [
        _l1(_between(control.to_numpy(), others, share) - knockouts.to_numpy()).mean()
        for share in SHARES_OF_MEDIAN
    ]
    share = SHARES_OF_MEDIAN[int(np.argmin(losses))]
    return _between(control.to_numpy(), knockouts.median().to_numpy(), share)


def _between(control: np.ndarray, median: np.ndarray, share: float) -> np.ndarray:
    """(..., 4) with programs that sum to 1; the control where all three medians are 0."""
    median = np.where(median[..., :3].sum(axis=-1, keepdims=True) > 0, median, control)
    mixed = (1 - share) * control + share * median
    mixed[..., :3] /= mixed[..., :3].sum(axis=-1, keepdims=True)
    return mixed


def _deviations(residuals: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """(n, 4) what kernel ridge adds to the constant, as far as left-out knock-outs say it helps.

    Parameters
    ----------
    residuals
        (n_training, 4) from the constant.
    kernels
        (n_sources, n_training + n, n_training), rows of the training knock-outs first.
    """
    n = len(residuals)
    weights = source_weights(kernels[:, :n], residuals @ residuals.T)
    kernel, targets = np.split(np.tensordot(weights, kernels, axes=1), [n])
    best, chosen = 0.0, np.zeros((len(targets), residuals.shape[1]))
    for ridge in RIDGES:
        inverse = np.linalg.inv(kernel + ridge * np.eye(n))
        # Left out, a knock-out is missed by (M r)_i / M_ii, M this inverse: no refit is needed
        # (Allen 1974, PRESS).
        left_out = residuals - inverse @ residuals / np.diag(inverse)[:, None]
        gains = _l1(residuals) - _l1(left_out - residuals)
        share = trust(gains)
        if share * gains.mean() > best:
            best, chosen = share * gains.mean(), share * targets @ inverse @ residuals
    return chosen


def _kernels(
    training: TrainingCentroids, gene_features: GeneFeatures | None, genes: list[str], n: int
) -> np.ndarray:
    """(n_sources + 2, len(genes), n) with the first `n` genes, of mean diagonal 1 among those.

    Beside every source of gene knowledge the terms of the process, and how much more of the gene
    itself the cells at the end of the process have than those at its start.
    """
    columns = pd.Index(training.genes).get_indexer(pd.Index(genes))
    programs = training.program_centroids
    rise = np.where(columns >= 0, (programs.loc[END] - programs.loc[START]).to_numpy()[columns], 0)
    rise -= rise[:n].mean()
    terms = process_terms(gene_features, genes)
    known = gene_kernels(gene_features, genes, genes[:n])
    kernels = np.concatenate([known, [terms @ terms[:n].T, np.outer(rise, rise[:n])]])
    diagonals = np.trace(kernels[:, :n], axis1=1, axis2=2) / n
    return kernels / np.maximum(diagonals, TINY)[:, None, None]


def _l1(differences: np.ndarray) -> np.ndarray:
    return np.abs(differences) @ L1_WEIGHTS


def _valid(parts: pd.DataFrame) -> pd.DataFrame:
    """Round so that the programs sum to 1 and lipo is at most adipo in the digits written."""
    unit = 10**DECIMALS
    programs = parts[list(PROGRAMS)].clip(lower=0)
    pre_adipo, adipo, _ = (programs.div(programs.sum(axis=1), axis=0) * unit).to_numpy().T
    pre_adipo, adipo = np.floor(pre_adipo), np.floor(adipo)
    lipo = np.floor(adipo * parts["lipo_given_adipo"].clip(0, 1))
    table = np.column_stack([pre_adipo, adipo, unit - pre_adipo - adipo, lipo])
    return pd.DataFrame((table / unit).round(DECIMALS), parts.index, list(PROGRAM_FLAGS))
