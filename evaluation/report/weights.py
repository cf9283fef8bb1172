"""What a fitted predictor learnt to trust, where it says so."""

from __future__ import annotations

import pandas as pd

from perturbation.model.gene_features import GeneFeatures
from perturbation.model.parts import Predictor


def inner(predictor: Predictor) -> Predictor:
    """Return the predictor inside a wrapper such as `OwnTranscript`, or itself."""
    return getattr(predictor, "inner", predictor)


def learnt_weights(predictor: Predictor, gene_features: GeneFeatures) -> dict[str, pd.Series]:
    """Return weights by name: of the parts of a mix, and of the sources of knowledge."""
    mixed, found = inner(predictor), {}
    if (mix := getattr(mixed, "mix", None)) is not None:
        found["Parts of the mix"] = pd.Series(mix.weights, index=[c.part for c in mix.candidates])
    if (of_sources := getattr(mixed, "source_weights", None)) is not None:
        found["Sources of knowledge"] = pd.Series(of_sources, index=list(gene_features.sources))
    return found
