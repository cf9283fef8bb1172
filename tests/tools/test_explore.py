import numpy as np
import pytest

from evaluation.reading import check_known
from perturbation.data.dataset import open_dataset
from perturbation.errors import InputError
from perturbation.model.gene_features import load_gene_features
from tests.conftest import ROOT
from tools.explore import __main__ as command
from tools.explore.look import look_at, oddities


@pytest.fixture(scope="module")
def look(competition):
    return look_at(open_dataset(competition))


def test_cells_of_the_sample_are_found_in_the_file(look):
    assert (look.sample["gene"].to_numpy(str) == look.summary.cell_labels).all()
    assert look.sample.index.is_unique


def test_chance_is_what_effects_of_shuffled_labels_measure(look):
    """Means of cells drawn at random lie as far from each other as `chance` says."""
    rng, n = np.random.default_rng(0), 40
    cells = look.panel[look.summary.cell_labels == "NC"].astype(np.float64)
    cells = cells if len(cells) > 20 else look.panel.astype(np.float64)
    variance = cells.var(axis=0).sum()
    gaps = [
        np.linalg.norm(np.subtract(*cells[rng.integers(len(cells), size=(2, n))].mean(axis=1)))
        for _ in range(200)
    ]
    assert np.sqrt(np.mean(np.square(gaps))) == pytest.approx(np.sqrt(variance * 2 / n), rel=0.1)
    table = look.strengths
    ratio = table["chance"] ** 2 / (
        1 / table["n_cells"] + 1 / look.summary.training.n_control_cells
    )
    assert np.ptp(ratio) < 1e-9 * ratio.mean()


def test_a_targets_own_transcript_is_no_part_of_its_effect(look):
    for name in look.effects.index.intersection(look.effects.columns):
        assert look.effects.loc[name, name] == 0


def test_oddities_are_found(look, competition):
    gene_features = load_gene_features(ROOT / "resources" / "gene_features.npz")
    found = oddities(look, gene_features, competition)
    unmeasured = sorted(set(look.strengths.index) - set(look.summary.training.genes))
    assert f"Knock-out not measured ({len(unmeasured)}): {', '.join(unmeasured)}" in found


def test_names_that_differ_in_capitals_alone_are_all_known():
    check_known(["ALB", "Alb"], {"ALB", "Alb"}, "gene")
    with pytest.raises(InputError, match="Did you mean ALB"):
        check_known(["aLB"], {"ALB", "Alb"}, "gene")


def test_a_name_that_is_nothing_is_refused_before_the_read(competition, capsys):
    gene = str(open_dataset(competition).genes[0])
    assert command.main([str(competition), "--show", gene[:-1] + "x"]) == 2
    assert "Did you mean" in capsys.readouterr().err
