import numpy as np
import pandas as pd

from perturbation.output.model_file import load_model
from tools.atlas.__main__ import _fat_cells
from tools.atlas.left_out import LeftOut, fat_direction


def left_out(rng, n=60, slope=1.0, fat_noise=1.0):
    closeness, adipo = rng.uniform(size=n), rng.uniform(size=n)
    scores = slope * closeness + 0.1 * rng.normal(size=n)
    return LeftOut(scores, closeness, adipo + fat_noise * rng.normal(size=n), adipo)


def test_intervals_rise_with_closeness_and_hold_what_they_promise():
    found = left_out(np.random.default_rng(0))
    near, far = found.expected(np.array([0.9, 0.1])).to_numpy()
    assert near[0] > far[0] + 0.4
    assert near[1] > far[1]
    assert 0.7 <= found.coverage() <= 0.95


def test_where_closeness_tells_nothing_all_targets_get_one_interval():
    found = left_out(np.random.default_rng(0), slope=0.0)
    assert not found.closeness_tells
    assert found.expected(np.array([0.9, 0.1])).nunique().tolist() == [1, 1, 1]


def test_a_ranking_that_is_noise_is_not_shown():
    names = [f"G{i}" for i in range(60)]
    table = pd.DataFrame(
        {"fat": np.arange(60.0), "nearest": "G1", "expected": 0.1, "expression": 1.0}, index=names
    )
    noise = left_out(np.random.default_rng(1), fat_noise=50.0)
    text = _fat_cells(table, noise, None)
    assert "No ranking is shown" in text
    assert "<table" not in text


def test_the_fat_direction_points_to_more_adipo_cells(model_directory):
    training = load_model(model_directory).training
    scores = training.perturbation_centroids @ fat_direction(training)
    adipo = training.proportions.loc[scores.index, "adipo"]
    assert scores.corr(adipo) > 0.3


def test_the_csv_holds_every_target_once(all_pages):
    paths, _, _ = all_pages["demo"]
    table = pd.read_csv(paths["atlas"].with_name("atlas.csv"))
    assert len(table) == table["target"].nunique() == 80
    assert table["low"].le(table["expected"]).all()
    assert table["closeness"].between(0, 1).all()
    assert "\\n" not in paths["atlas"].read_text().partition("<script>")[0]


def test_what_ranks_fat_cells_is_withheld_where_it_is_noise(all_pages):
    for name, (paths, _, _) in all_pages.items():
        table = pd.read_csv(paths["atlas"].with_name("atlas.csv"))
        is_withheld = "No ranking is shown" in paths["atlas"].read_text()
        assert is_withheld == (not len(table.filter(regex="^(shift of|fat)").columns)), name
