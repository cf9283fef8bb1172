from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbation.competition import PROGRAM_FLAGS, PROGRAMS
from perturbation.programs import DECIMALS, predict_proportions


def table(rows):
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(PROGRAM_FLAGS), dtype=float)


def as_read_back(proportions):
    text = proportions.to_csv(float_format=f"%.{DECIMALS}f")
    return pd.read_csv(StringIO(text), index_col=0)


programs = st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 1e-3)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(programs, st.floats(0, 1)), min_size=2, max_size=6))
def test_constraints_hold_in_the_digits_written_for_any_training_set(rows):
    names = ["NC", *(f"G{i}" for i in range(len(rows) - 1))]
    shares = [(np.array(p) / sum(p), ratio) for p, ratio in rows]
    training = table({n: [*p, ratio * p[1]] for n, (p, ratio) in zip(names, shares, strict=True)})
    written = as_read_back(predict_proportions(training, ["NEW", "G0"]))
    assert list(written.index) == ["NEW", "G0"]
    assert np.isfinite(written).all(axis=None)
    assert (written >= 0).all(axis=None)
    np.testing.assert_allclose(written[list(PROGRAMS)].sum(axis=1), 1, atol=1e-9)
    assert (written["lipo"] <= written["adipo"]).all()


def test_a_measured_perturbation_keeps_its_own_proportions():
    training = table(
        {"NC": [0.4, 0.3, 0.3, 0.1], "A": [0.5, 0.2, 0.3, 0.15], "B": [0.4, 0.3, 0.3, 0.1]}
    )
    np.testing.assert_allclose(
        predict_proportions(training, ["A"]).loc["A"], [0.5, 0.2, 0.3, 0.15], atol=2e-6
    )


def test_knockouts_alike_but_unlike_the_control_give_their_median():
    training = table({"NC": [0.2, 0.5, 0.3, 0.1]} | {g: [0.6, 0.2, 0.2, 0.1] for g in "ABCD"})
    predicted = predict_proportions(training, ["NEW"]).loc["NEW"]
    np.testing.assert_allclose(predicted, [0.6, 0.2, 0.2, 0.1], atol=2e-6)


def test_knockouts_that_scatter_around_the_control_give_the_control():
    shifts = {"A": 0.1, "B": -0.1, "C": 0.2, "D": -0.2, "E": 0.15}
    training = table(
        {"NC": [0.4, 0.3, 0.3, 0.1]} | {g: [0.4 + s, 0.3 - s, 0.3, 0.1] for g, s in shifts.items()}
    )
    predicted = predict_proportions(training, ["NEW"]).loc["NEW"]
    assert predicted["pre_adipo"] == pytest.approx(0.4, abs=0.03)
