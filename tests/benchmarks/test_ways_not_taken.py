import numpy as np
import pytest

from benchmarks.ways_not_taken import other_answers
from evaluation.crossval.folds import read_once
from evaluation.local.truth import read_local_truth
from perturbation.competition import PROGRAM_FLAGS, PROGRAMS
from perturbation.data.dataset import open_dataset
from perturbation.model.gene_features import load_gene_features
from tests.conftest import DEMO, ROOT


@pytest.fixture(scope="module")
def answers():
    features = load_gene_features(ROOT / "resources" / "gene_features.npz")
    truth = read_local_truth(DEMO)
    dataset = open_dataset(DEMO)
    summary, measured = read_once(dataset, np.arange(len(dataset.genes)))
    rng = np.random.default_rng(0)
    return list(other_answers(summary, measured.cells, truth, features, rng)), truth


def test_every_way_differs_in_cells_or_proportions_alone(answers):
    ways, truth = answers
    assert [metric for metric, _, _ in ways] == ["mmd"] * 5 + ["l1"] * 4
    name = truth.perturbations[0]
    cells = [answer.cells_of(name) for _, _, answer in ways[:6]]
    for one in cells:
        assert one.shape == (100, len(truth.genes))
        assert one.min() >= 0
        means = (of.mean(axis=0, dtype=np.float64) for of in (one, cells[0]))
        np.testing.assert_allclose(*means, atol=1e-5)
    distinct = {one.round(3).tobytes() for one in cells}
    assert len(distinct) == len(cells)


def test_proportions_of_every_way_are_valid(answers):
    ways, truth = answers
    tables = [answer.proportions for _, _, answer in ways]
    for table in tables:
        assert list(table.index) == truth.perturbations
        np.testing.assert_allclose(table[list(PROGRAMS)].sum(axis=1), 1, atol=1e-6)
        assert (table["lipo"] <= table["adipo"] + 1e-12).all()
    distinct = {table[list(PROGRAM_FLAGS)].to_numpy().round(5).tobytes() for table in tables[4:]}
    assert len(distinct) == 5
