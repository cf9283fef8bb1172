import numpy as np
import pandas as pd

from tools.atlas.__main__ import _fat_cells
from tools.atlas.predicted import coverage, expected


def test_intervals_rise_with_closeness_and_hold_what_they_promise():
    rng = np.random.default_rng(0)
    closeness = rng.uniform(size=60)
    scores = closeness + 0.1 * rng.normal(size=60)
    found = pd.DataFrame({"closeness": closeness, "pearson_delta": scores})
    near, far = expected(found, [0.9, 0.1]).to_numpy()
    assert near[0] > far[0] + 0.4
    assert near[1] > far[1]
    assert 0.7 <= coverage(found) <= 0.95


def test_the_ranking_goes_from_most_to_least_either_way():
    table = pd.DataFrame({"shift of adipo": np.arange(60.0), "why": "because"})
    few, many = _fat_cells(table.set_index(table.index.map("G{:02}".format)))
    for text, order in ((few, ["G00", "G01", "G19"]), (many, ["G59", "G58", "G40"])):
        places = [text.index(f">{name}<") for name in order]
        assert places == sorted(places)
        assert text.count(">because<") == 20


def test_the_csv_holds_every_target_once(all_pages):
    paths, _, _ = all_pages["demo"]
    table = pd.read_csv(paths["atlas"].with_name("atlas.csv"))
    assert len(table) == table["target"].nunique() == 80
    assert table["low"].le(table["high"]).all()
    assert table["closeness"].between(0, 1).all()
    assert "\\n" not in paths["atlas"].read_text().partition("<script>")[0]


def test_what_ranks_fat_cells_is_withheld_where_it_is_noise(all_pages):
    for name, (paths, _, _) in all_pages.items():
        table = pd.read_csv(paths["atlas"].with_name("atlas.csv"))
        is_withheld = "no ranking is shown" in paths["atlas"].read_text()
        assert is_withheld == (not len(table.filter(regex="^shift of").columns)), name
