"""What sentences say: how two columns of numbers go together, and what a predictor weighs."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import Predictor

SIGNIFICANT = 0.05


def rank_correlation(x: pd.Series | np.ndarray, y: pd.Series | np.ndarray) -> tuple[float, float]:
    """Return Spearman's correlation of (n,) numbers and its p value; 0 and 1 if one is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0, 1.0
    test = spearmanr(x.astype(float), y.astype(float))
    return float(test.statistic), float(test.pvalue)


def inner(predictor: Predictor) -> Predictor:
    """Return the predictor inside a wrapper such as `OwnTranscript`, or itself."""
    return getattr(predictor, "inner", predictor)


def learnt_weights(predictor: Predictor, gene_features: GeneFeatures) -> dict[str, str]:
    """Say what a mix weighs: its parts, and the sources of knowledge."""
    mixed, found = inner(predictor), {}
    if (mix := getattr(mixed, "mix", None)) is not None:
        found["Parts of the mix"] = zip([c.part for c in mix.candidates], mix.weights, strict=True)
    if (weights := getattr(mixed, "source_weights", None)) is not None:
        found["Sources of knowledge"] = zip(gene_features.sources, weights, strict=True)
    return {
        kind: ", ".join(f"{name} {weight:.2f}" for name, weight in named)
        for kind, named in found.items()
    }
