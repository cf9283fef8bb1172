from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbation.competition import PROGRAM_FLAGS, PROGRAMS
from perturbation.model.programs import DECIMALS, predict_proportions
from tests.conftest import training_of

TRAINING = training_of(pd.DataFrame([[1.0]], ["A"], ["A"]), pd.Series(1, ["A"]), [1.0])


def table(rows):
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(PROGRAM_FLAGS), dtype=float)


def proportions_of(proportions, perturbations, gene_features):
    training = replace(TRAINING, proportions=proportions)
    return predict_proportions(training, gene_features, None, perturbations)


def as_read_back(proportions):
    text = proportions.to_csv(float_format=f"%.{DECIMALS}f")
    return pd.read_csv(StringIO(text), index_col=0)


three_shares = st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 1e-3)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(three_shares, st.floats(0, 1)), min_size=2, max_size=6))
def test_constraints_hold_in_the_digits_written_for_any_training_set(rows):
    names = ["NC", *(f"G{i}" for i in range(len(rows) - 1))]
    shares = [(np.array(p) / sum(p), ratio) for p, ratio in rows]
    training = table({n: [*p, ratio * p[1]] for n, (p, ratio) in zip(names, shares, strict=True)})
    written = as_read_back(proportions_of(training, ["NEW", "G0"], None))
    assert list(written.index) == ["NEW", "G0"]
    assert np.isfinite(written).all(axis=None)
    assert (written >= 0).all(axis=None)
    np.testing.assert_allclose(written[list(PROGRAMS)].sum(axis=1), 1, atol=1e-9)
    assert (written["lipo"] <= written["adipo"]).all()


def test_medians_of_nothing_give_the_control():
    pure = {f"{name}{i}": row for i in range(2) for name, row in zip("ABC", np.eye(3), strict=True)}
    training = table({"NC": [0.5, 0.2, 0.3, 0.1]} | {n: [*row, 0] for n, row in pure.items()})
    predicted = proportions_of(training, ["NEW"], None).loc["NEW"]
    np.testing.assert_allclose(predicted, [0.5, 0.2, 0.3, 0.1], atol=2e-6)


def test_a_measured_perturbation_keeps_its_own_proportions():
    training = table(
        {"NC": [0.4, 0.3, 0.3, 0.1], "A": [0.5, 0.2, 0.3, 0.15], "B": [0.4, 0.3, 0.3, 0.1]}
    )
    np.testing.assert_allclose(
        proportions_of(training, ["A"], None).loc["A"], [0.5, 0.2, 0.3, 0.15], atol=2e-6
    )


def test_knockouts_alike_but_unlike_the_control_give_their_median():
    training = table({"NC": [0.2, 0.5, 0.3, 0.1]} | {g: [0.6, 0.2, 0.2, 0.1] for g in "ABCD"})
    predicted = proportions_of(training, ["NEW"], None).loc["NEW"]
    np.testing.assert_allclose(predicted, [0.6, 0.2, 0.2, 0.1], atol=2e-6)


def test_knockouts_that_scatter_around_the_control_give_the_control():
    shifts = {"A": 0.1, "B": -0.1, "C": 0.2, "D": -0.2, "E": 0.15}
    training = table(
        {"NC": [0.4, 0.3, 0.3, 0.1]} | {g: [0.4 + s, 0.3 - s, 0.3, 0.1] for g, s in shifts.items()}
    )
    predicted = proportions_of(training, ["NEW"], None).loc["NEW"]
    assert predicted["pre_adipo"] == pytest.approx(0.4, abs=0.03)


class Families:
    """Genes whose names begin alike are alike."""

    sources = ("family",)

    def kernel(self, source, a, b):
        return np.array([[float(x[0] == y[0]) for y in b] for x in a]).reshape(len(a), len(b))

    def listed(self, genes, terms):
        return np.zeros((len(genes), len(terms)))


def test_what_is_known_about_genes_is_used_where_it_clearly_helps():
    rng = np.random.default_rng(0)
    rows = {"NC": [0.4, 0.3, 0.3, 0.1]}
    for i in range(12):
        noise = rng.normal(0, 0.01)
        rows[f"A{i}"] = [0.6 + noise, 0.1, 0.3 - noise, 0.05]
        rows[f"B{i}"] = [0.2 + noise, 0.5, 0.3 - noise, 0.05]
    predicted = proportions_of(table(rows), ["Anew", "Bnew", "Cnew"], Families())
    assert predicted.loc["Anew", "adipo"] == pytest.approx(0.1, abs=0.05)
    assert predicted.loc["Bnew", "adipo"] == pytest.approx(0.5, abs=0.05)
    assert 0.15 < predicted.loc["Cnew", "adipo"] < 0.45


def test_what_is_known_about_genes_is_left_out_where_it_says_nothing():
    rng = np.random.default_rng(1)
    rows = {"NC": [0.4, 0.3, 0.3, 0.1]}
    for i in range(24):
        shift = rng.normal(0, 0.05)
        rows[f"{'AB'[i % 2]}{i}"] = [0.4 + shift, 0.3 - shift, 0.3, 0.1]
    with_features = proportions_of(table(rows), ["Anew", "Bnew"], Families())
    pd.testing.assert_frame_equal(
        with_features, proportions_of(table(rows), ["Anew", "Bnew"], None)
    )


def test_a_gene_that_rises_along_the_process_is_told_by_the_others_that_do():
    rng = np.random.default_rng(2)
    rises = {f"{kind}{i}": 2.0 * (kind == "UP") for kind in ("UP", "FLAT") for i in range(13)}
    genes = list(rises)
    rows = {"NC": [0.5, 0.2, 0.3, 0.05]}
    for gene in (gene for gene in genes if not gene.endswith("T0") and gene != "UP0"):
        adipo = 0.3 - 0.1 * rises[gene] + rng.normal(0, 0.01)
        rows[gene] = [0.7 - adipo, adipo, 0.3, 0.05]
    training = training_of(
        pd.DataFrame([[1.0] * 26], ["A"], genes), pd.Series(1, ["A"]), [1.0] * 26
    )
    programs = training.program_centroids.copy()
    programs.loc["adipo"] += list(rises.values())
    training = replace(training, proportions=table(rows), program_centroids=programs)
    predicted = predict_proportions(training, None, None, ["UP0", "FLAT0", "UNMEASURED"])["adipo"]
    assert predicted["UP0"] < 0.2 < predicted["FLAT0"]
    assert predicted["UP0"] < predicted["UNMEASURED"]
