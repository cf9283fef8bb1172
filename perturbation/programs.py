"""Program proportions of knock-outs nobody measured, and the constraints they obey."""

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

SHARES_OF_MEDIAN = (0.0, 0.25, 0.5, 0.75, 1.0)
"""0 predicts the control's proportions, 1 the median knock-out's."""

DECIMALS = 6


def predict_proportions(proportions: pd.DataFrame, perturbations: Sequence[str]) -> pd.DataFrame:
    """Proportions of each perturbation: its own if it was measured, else one constant for all.

    The constant lies between the control and the median knock-out, as leave-one-out over the
    training knock-outs says: the L1 metric is minimised by medians, but where most knock-outs do
    little, by the control.

    Parameters
    ----------
    proportions
        (n_perturbations + 1, 4) of the training set, NC included.
    perturbations
        Whose proportions are wanted.

    Returns
    -------
    DataFrame (len(perturbations), 4), index `perturbations`, valid after rounding to 6 decimals.
    """
    parts = _parts(proportions)
    knockouts = parts.drop(index=CONTROL_LABEL)
    share = _best_share(knockouts, parts.loc[CONTROL_LABEL])
    constant = _between(parts.loc[CONTROL_LABEL], knockouts.median(), share)
    rows = {name: parts.loc[name] if name in parts.index else constant for name in perturbations}
    return _valid(pd.DataFrame(rows).T[list(parts)])


def _parts(proportions: pd.DataFrame) -> pd.DataFrame:
    """Columns pre_adipo, adipo, other and lipo_given_adipo: what the L1 metric compares."""
    parts = proportions[list(PROGRAMS)].copy()
    parts["lipo_given_adipo"] = (proportions["lipo"] / proportions["adipo"]).fillna(0).clip(0, 1)
    return parts


def _between(control: pd.Series, median: pd.Series, share: float) -> pd.Series:
    mixed = (1 - share) * control + share * median
    mixed[list(PROGRAMS)] /= mixed[list(PROGRAMS)].sum()
    return mixed


def _best_share(knockouts: pd.DataFrame, control: pd.Series) -> float:
    """Share of the median with the lowest leave-one-out L1; the smallest of equals."""
    medians = [knockouts.drop(index=name).median() for name in knockouts.index]
    if len(knockouts) < 2:
        return 0.0
    losses = [
        sum(
            _l1(_between(control, median, share), knockouts.loc[name])
            for name, median in zip(knockouts.index, medians, strict=True)
        )
        for share in SHARES_OF_MEDIAN
    ]
    return SHARES_OF_MEDIAN[int(np.argmin(losses))]


def _l1(predicted: pd.Series, true: pd.Series) -> float:
    difference = (predicted - true).abs()
    return (
        L1_WEIGHT_PROGRAMS * difference[list(PROGRAMS)].sum()
        + L1_WEIGHT_LIPO * difference["lipo_given_adipo"]
    )


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
