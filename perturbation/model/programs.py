"""Program proportions of knock-outs nobody measured, and the constraints they obey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from perturbation.competition import (
    CONTROL_LABEL,
    L1_WEIGHT_LIPO,
    L1_WEIGHT_PROGRAMS,
    PROGRAM_FLAGS,
    PROGRAMS,
)
from perturbation.data.centroids import TrainingCentroids
from perturbation.model.gene_features import GeneFeatures
from perturbation.model.gene_kernels import gene_kernels, source_weights
from perturbation.model.parts import Predictor

SHARES_OF_MEDIAN = (0.0, 0.25, 0.5, 0.75, 1.0)
"""0 predicts the control's proportions, 1 the median knock-out's."""

RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
STANDARD_ERRORS_TO_TRUST = 2.0
"""By so much must a regression beat the constant on left-out knock-outs before it is used."""

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
    parts = _parts(training.proportions)
    knockouts = parts.drop(index=CONTROL_LABEL)
    constant = _constant(knockouts, parts.T[CONTROL_LABEL])
    predicted = constant + _deviations(knockouts, constant, perturbations, gene_features)
    table = pd.DataFrame(predicted, index=list(perturbations), columns=list(parts))
    measured = [name for name in perturbations if name in parts.index]
    table.loc[measured] = parts.loc[measured]
    return _valid(table)


def _parts(proportions: pd.DataFrame) -> pd.DataFrame:
    """Columns pre_adipo, adipo, other and lipo_given_adipo: what the L1 metric compares."""
    parts = proportions[list(PROGRAMS)].copy()
    parts["lipo_given_adipo"] = (proportions["lipo"] / proportions["adipo"]).fillna(0).clip(0, 1)
    return parts


def _constant(knockouts: pd.DataFrame, control: pd.Series) -> np.ndarray:
    """(4,) between the control and the median, where left-out knock-outs lose least."""
    if len(knockouts) < 2:
        return control.to_numpy()
    others = np.stack([knockouts.drop(index=name).median() for name in knockouts.index])
    losses = [
        _l1(_between(control.to_numpy(), others, share), knockouts.to_numpy()).mean()
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


def _deviations(
    knockouts: pd.DataFrame,
    constant: np.ndarray,
    perturbations: Sequence[str],
    gene_features: GeneFeatures | None,
) -> np.ndarray:
    """(n, 4) what kernel ridge adds to the constant; zero unless it clearly helps."""
    names, true = list(knockouts.index), knockouts.to_numpy()
    residuals = true - constant
    nothing = np.zeros((len(perturbations), len(constant)))
    kernels = gene_kernels(gene_features, names, names)
    weights = source_weights(kernels, residuals @ residuals.T)
    kernel = np.tensordot(weights, kernels, axes=1)
    targets = np.tensordot(weights, gene_kernels(gene_features, perturbations, names), axes=1)
    losses = _l1(constant, true)
    best, chosen = 0.0, nothing
    for ridge in RIDGES:
        inverse = np.linalg.inv(kernel + ridge * np.eye(len(names)))
        # Left out, a knock-out is predicted by (H r - h_ii r_i) / (1 - h_ii), H the hat matrix: no
        # refit is needed (Allen 1974, PRESS).
        hat = kernel @ inverse
        own = np.diag(hat)[:, None]
        left_out = (hat @ residuals - own * residuals) / (1 - own)
        gain = losses - _l1(constant + left_out, true)
        needed = STANDARD_ERRORS_TO_TRUST * gain.std() / np.sqrt(max(len(gain) - 1, 1))
        if gain.mean() > max(best, needed):
            best, chosen = gain.mean(), targets @ inverse @ residuals
    return chosen


def _l1(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    difference = np.abs(predicted - true)
    programs, lipo = difference[..., :3].sum(axis=-1), difference[..., 3]
    return L1_WEIGHT_PROGRAMS * programs + L1_WEIGHT_LIPO * lipo


def _valid(parts: pd.DataFrame) -> pd.DataFrame:
    """Round so that the programs sum to 1 and lipo is at most adipo in the digits written."""
    unit = 10**DECIMALS
    programs = parts[list(PROGRAMS)].clip(lower=0)
    pre_adipo, adipo, _ = (programs.div(programs.sum(axis=1), axis=0) * unit).to_numpy().T
    pre_adipo, adipo = np.floor(pre_adipo), np.floor(adipo)
    lipo = np.floor(adipo * parts["lipo_given_adipo"].clip(0, 1))
    table = np.column_stack([pre_adipo, adipo, unit - pre_adipo - adipo, lipo])
    return pd.DataFrame(
        (table / unit).round(DECIMALS), index=parts.index, columns=list(PROGRAM_FLAGS)
    )
