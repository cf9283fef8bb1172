"""A made-up screen of three families of knock-outs, and what is known about its genes."""

import numpy as np
import pandas as pd
import pytest

from perturbation.model.predictors import Blend, OwnTranscript

N_GENES = 80


class Families:
    """Gene features by hand: genes of one family are alike, an unknown gene is like none."""

    sources = ("family", "noise")
    process = ""

    def listed(self, genes, terms):
        of_process = [bool(self.process) and name.startswith(self.process) for name in genes]
        return np.array(of_process, dtype=bool)[:, None] * (np.arange(len(terms)) == 0)

    def kernel(self, source, a, b):
        if source == "noise":
            seeds = [[sum(map(ord, name)) for name in names] for names in (a, b)]
            return np.cos(np.subtract.outer(*map(np.array, seeds))) * 0.1
        alike = [[x[0] == y[0] and x[0] != "?" for y in b] for x in a]
        return np.where(
            np.array(alike, dtype=bool).reshape(len(a), len(b)), 0.8, 0.0
        ) + np.equal.outer(list(a), list(b)) * np.where(
            np.array([x[0] != "?" for x in a], dtype=float)[:, None], 0.2, 0
        )


@pytest.fixture
def screen():
    """Three families of eight knock-outs with effects of their own, and a control apart."""
    rng = np.random.default_rng(0)
    base = rng.uniform(1, 6, N_GENES)
    family_effect = {name: rng.normal(0, 0.4, N_GENES) for name in "ABC"}
    names = [f"{family}{i}" for family in "ABC" for i in range(8)]
    values = [base + family_effect[n[0]] + rng.normal(0, 0.1, N_GENES) for n in names]
    centroids = pd.DataFrame(values, index=names, columns=[f"G{i}" for i in range(N_GENES)])
    n_cells = pd.Series(rng.integers(50, 200, len(names)), index=names)
    return centroids, n_cells, base, family_effect


def own_blend():
    """Return what ships, named here so that another shipped_predictor breaks no test of this."""
    return OwnTranscript(Blend())
