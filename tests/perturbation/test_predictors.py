from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from evaluation.crossval.baselines import ControlCentroid
from evaluation.held_out import centroids_without
from perturbation.competition import PROGRAM_FLAGS
from perturbation.model import direction_mix
from perturbation.model.effects import (
    effects_of,
    own_genes,
    relative_noise,
)
from perturbation.model.gene_kernels import source_weights
from perturbation.model.predictors import (
    Blend,
    OwnTranscript,
)
from tests.conftest import training_of
from tests.perturbation.conftest import N_GENES, Families, own_blend

kernel_ridge = partial(Blend, ["mean", "knowledge"])


def correlation(predicted, expected):
    return np.corrcoef(predicted, expected)[0, 1]


@pytest.mark.parametrize("kind", [kernel_ridge, Blend, own_blend])
def test_knowledge_predicts_a_knockout_nobody_measured(screen, kind):
    centroids, n_cells, base, effect = screen
    predictor = kind().fit(training_of(centroids, n_cells, base), Families())
    centre = np.average(centroids, axis=0, weights=n_cells)
    for family in "ABC":
        (predicted,) = predictor.predict([f"{family}new"])
        assert correlation(predicted - centre, base + effect[family] - centre) > 0.9


def test_a_target_without_features_gets_the_constant(screen):
    centroids, n_cells, base, _ = screen
    features = Families()
    features.sources = ("family",)
    blend = Blend().fit(training_of(centroids, n_cells, base), features)
    unknown, known = blend.coefficients(["?x", "Anew"])
    control, mean, *_ = np.median(blend.effects.lengths[:-1]) * blend.mix.weights
    parts = np.append(np.full(len(centroids), mean / len(centroids)), control)
    np.testing.assert_allclose(unknown, parts)
    assert np.ptp(known[:-1]) > 0.1


def test_without_features_all_still_predicts(screen):
    centroids, n_cells, base, _ = screen
    for kind in (partial(Blend, ["mean"]), kernel_ridge, Blend, own_blend):
        predicted = (
            kind().fit(training_of(centroids, n_cells, base), None).predict(["Anew", "Bnew"])
        )
        assert np.isfinite(predicted).all()
        np.testing.assert_allclose(predicted[0], predicted[1])


def test_knockouts_that_do_nothing_lead_back_to_the_control(screen):
    centroids, n_cells, base, _ = screen
    rng = np.random.default_rng(2)
    centroids = centroids.copy()
    centroids.iloc[3:] = base + rng.normal(0, 0.01, (len(centroids) - 3, N_GENES))
    centre = np.average(centroids, axis=0, weights=n_cells)
    (predicted,) = Blend().fit(training_of(centroids, n_cells, base), Families()).predict(["Cnew"])
    assert correlation(predicted - centre, base - centre) > 0.95


def test_a_gene_that_falls_with_the_process_is_told_by_its_own_place_in_the_data():
    rng = np.random.default_rng(4)
    names = [f"G{i}" for i in range(60)]
    axis, base = rng.normal(0, 1, 200), rng.uniform(2, 6, 200)
    genes = [*names, *(f"H{i}" for i in range(140))]
    effects = -np.outer(axis[:60], axis) + rng.normal(0, 0.3, (60, 200))
    centroids = pd.DataFrame(base + 0.3 * effects, names, genes)
    programs = pd.DataFrame(
        np.stack([base - axis, base + axis, base, base]), list(PROGRAM_FLAGS), genes
    )
    training = training_of(centroids, pd.Series(100, names), base, pd.DataFrame(index=names))
    training = replace(training, program_centroids=programs)
    held_out = centroids_without(training, names[:10])
    predicted = Blend().fit(held_out, None).predict(names[:10])
    for delta, gene in zip(predicted - held_out.perturbed_centroid, range(10), strict=True):
        if abs(axis[gene]) > 0.5:
            assert correlation(delta, -axis[gene] * axis) > 0.5


def test_terms_of_the_process_are_learnt_where_they_tell_something(screen):
    centroids, n_cells, base, _ = screen
    features = Families()
    features.sources, features.process = ("noise",), "A"
    mix = Blend().fit(training_of(centroids, n_cells, base), features).mix
    weights = dict(zip([c.part for c in mix.candidates], mix.weights, strict=True))
    assert weights["process"] > 0.1


def test_a_badly_measured_direction_is_leant_on_less(screen):
    centroids, n_cells, base, _ = screen
    few = pd.Series(100, index=n_cells.index).where(n_cells.index != "A0", 20)
    noise = relative_noise(effects_of(training_of(centroids, few, base)))
    alike, kernel = (
        Families().kernel("family", names, list(few.index)) for names in (["Anew"], few.index)
    )
    badly, well, *_ = (alike @ np.linalg.inv(direction_mix._penalised(kernel, noise)))[0]
    assert 0 < badly < 0.6 * well


def test_a_source_that_says_nothing_about_the_effects_weighs_little(screen):
    centroids, n_cells, base, _ = screen
    family, noise = Blend().fit(training_of(centroids, n_cells, base), Families()).source_weights
    assert family > 4 * noise
    gram = np.array([[1.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 1.0]])
    np.testing.assert_array_equal(source_weights(np.stack([gram, -gram]), gram), [1, 0])


def test_one_huge_effect_does_not_set_the_length_of_predictions(screen):
    centroids, n_cells, base, _ = screen
    effects = effects_of(training_of(centroids, n_cells, base + 100))
    effects.lengths[0] *= 1000
    own = own_genes(training_of(centroids, n_cells, base + 100), effects)
    mix = direction_mix.fit_mix(("mean",), effects, {}, own)
    (weight,) = mix.weights
    length = mix.maps["mean"].sum() / weight
    assert length == pytest.approx(np.median(effects.lengths[:-1]))
    assert length < effects.lengths[-1] / 10


def test_the_inner_predictor_never_sees_the_training_knockouts_own_transcripts(screen):
    centroids, n_cells, base, _ = screen
    genes = [*centroids.index, *centroids.columns[len(centroids) :]]
    directions = []
    for ratio in (0.1, 1.0):
        table = centroids.set_axis(genes, axis=1)
        for name in table.index:
            table.loc[name, name] *= ratio
        fitted = OwnTranscript(Blend()).fit(training_of(table, n_cells, base), Families())
        directions.append(fitted.inner.effects.directions)
    np.testing.assert_allclose(*directions, atol=1e-12)


def test_predictions_do_not_depend_on_the_order_of_genes_or_perturbations(screen):
    centroids, n_cells, base, _ = screen
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(len(centroids)), rng.permutation(N_GENES)
    shuffled = centroids.iloc[rows, columns]
    predicted = [
        own_blend().fit(training_of(c, n_cells, control), Families()).predict(["Anew", "?x"])
        for c, control in ((centroids, base), (shuffled, base[columns]))
    ]
    np.testing.assert_allclose(predicted[1], predicted[0][:, columns], atol=1e-6)


@pytest.mark.parametrize("ratio", [0.25, 3.0])
def test_the_own_transcripts_ratio_is_learnt_whether_it_falls_or_rises(ratio):
    names = ["A", "B", "C", "D"]
    control = np.array([2.0, 4.0, 1.0, 5.0, 3.0])
    values = np.tile(control, (4, 1))
    values[range(4), range(4)] *= ratio
    centroids = pd.DataFrame(values, index=names, columns=[*names, "NEW"])
    n_cells = pd.Series(10, index=names)
    training = training_of(centroids, n_cells, control)
    predictor = OwnTranscript(ControlCentroid()).fit(training, None)
    (predicted,) = predictor.predict(["NEW"])
    np.testing.assert_allclose(predicted, [2, 4, 1, 5, 3 * ratio])


def test_a_target_that_is_no_measured_gene_keeps_the_inner_prediction(screen):
    centroids, n_cells, base, _ = screen
    predictor = OwnTranscript(ControlCentroid()).fit(training_of(centroids, n_cells, base), None)
    np.testing.assert_allclose(predictor.predict(["NOWHERE"])[0], base)


def test_a_measured_perturbation_keeps_its_centroid(screen):
    centroids, n_cells, base, _ = screen
    predictor = own_blend().fit(training_of(centroids, n_cells, base), Families())
    np.testing.assert_array_equal(predictor.predict(["B3"])[0], centroids.loc["B3"])


def test_no_predicted_expression_is_negative(screen):
    centroids, n_cells, base, _ = screen
    low = centroids - centroids.min().min() + 0.0
    training = training_of(low, n_cells, base * 0)
    predicted = Blend().fit(training, Families()).predict(["Anew", "Cnew"])
    assert predicted.min() >= 0


def test_the_length_of_a_predicted_effect_is_that_of_real_ones(screen):
    centroids, n_cells, base, effect = screen
    predictor = Blend().fit(training_of(centroids, n_cells, base), Families())
    centre = np.average(centroids, axis=0, weights=n_cells)
    (predicted,) = predictor.predict(["Bnew"])
    expected = np.linalg.norm(base + effect["B"] - centre)
    assert np.linalg.norm(predicted - centre) == pytest.approx(expected, rel=0.15)
