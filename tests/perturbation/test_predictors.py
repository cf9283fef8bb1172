from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls

from perturbation.model import direction_mix
from perturbation.model.effects import (
    Effects,
    effects_of,
    gram_without,
    relative_noise,
    residual_gram,
)
from perturbation.model.gene_kernels import source_weights
from perturbation.model.predictors import (
    Blend,
    ControlCentroid,
    KernelRidge,
    MeanUnitResidual,
    NearestNeighbours,
    OwnTranscript,
)
from tests.conftest import training_of

N_GENES = 80


class Families:
    """Gene features by hand: genes of one family are alike, an unknown gene is like none."""

    sources = ("family", "noise")

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


def correlation(predicted, expected):
    return np.corrcoef(predicted, expected)[0, 1]


@pytest.mark.parametrize("rung", [NearestNeighbours, KernelRidge, Blend, own_blend])
def test_knowledge_predicts_a_knockout_nobody_measured(screen, rung):
    centroids, n_cells, base, effect = screen
    predictor = rung().fit(training_of(centroids, n_cells, base), Families())
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
    control, mean, _ = blend.mix.weights
    parts = np.append(np.full(len(centroids), mean / len(centroids)), control)
    np.testing.assert_allclose(unknown, blend.mix.scale * parts)
    assert np.ptp(known[:-1]) > 0.1


def test_without_features_the_ladder_still_predicts(screen):
    centroids, n_cells, base, _ = screen
    for rung in (MeanUnitResidual, NearestNeighbours, KernelRidge, Blend, own_blend):
        predicted = (
            rung().fit(training_of(centroids, n_cells, base), None).predict(["Anew", "Bnew"])
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


def test_leaving_one_out_is_as_if_it_had_never_been_measured(screen):
    centroids, n_cells, base, _ = screen
    left_out = 5
    effects = effects_of(training_of(centroids, n_cells, base))
    found = gram_without(residual_gram(effects), effects.shares, left_out)
    rest = centroids.drop(index=centroids.index[left_out])
    centre = np.average(rest, axis=0, weights=n_cells[rest.index])
    expected = np.vstack([centroids, base]) - centre
    np.testing.assert_allclose(found, expected @ expected.T, atol=1e-9)


def test_the_left_out_direction_plays_no_part_in_its_own_prediction(screen):
    centroids, n_cells, base, _ = screen
    names = list(centroids.index)
    kernel = Families().kernel("family", names, names)
    others = np.delete(np.arange(len(names)), 4)
    parts = ("control", "mean", "neighbours", "ridge")
    ridges = np.full(len(names), 0.3)

    def predicted(centroids):
        effects = effects_of(training_of(centroids, n_cells, base))
        case = direction_mix._left_out(residual_gram(effects), effects.shares, 4)
        regression = direction_mix._left_out_regressions(kernel, ridges)[[4]][:, others]
        similarity = kernel[[4]][:, others]
        basis = case.responses.basis(0.2)
        return direction_mix._coefficients(parts, similarity, regression, basis)

    changed = centroids.copy()
    changed.iloc[4] += np.linspace(-3, 3, N_GENES)
    np.testing.assert_allclose(predicted(changed), predicted(centroids), atol=1e-6)


def test_left_out_regressions_are_those_fitted_without_the_knockout(screen):
    names = list(screen[0].index)
    kernel = sum(Families().kernel(source, names, names) for source in Families.sources)
    ridges = np.linspace(0.1, 0.9, len(names))
    found = direction_mix._left_out_regressions(kernel, ridges)
    unit = np.trace(kernel) / len(kernel)
    for i in range(len(names)):
        others = np.delete(np.arange(len(names)), i)
        rest = kernel[np.ix_(others, others)] + unit * np.diag(ridges[others])
        np.testing.assert_allclose(found[i, others], kernel[i, others] @ np.linalg.inv(rest))
        assert found[i, i] == 0


def refitted_loss(screen, kernel, noise, ridge, response_ridge):
    """Loss and stacking weights when all is fitted anew, on genes, without each knock-out."""
    centroids, n_cells, base, _ = screen
    unit = np.trace(kernel) / len(kernel)
    parts, truths = [], []
    for i, name in enumerate(centroids.index):
        rest = effects_of(training_of(centroids.drop(index=name), n_cells, base))
        truth = centroids.loc[name].to_numpy() - rest.perturbed_centroid
        others = np.delete(np.arange(len(centroids)), i)
        *directions, control = rest.directions
        mean = np.mean(directions, axis=0)
        deviations = directions - mean
        gram = deviations @ deviations.T
        kept = gram + response_ridge * np.linalg.eigvalsh(gram)[-1] * np.eye(len(gram))
        smoothed = gram @ np.linalg.solve(kept, deviations)
        penalised = kernel[np.ix_(others, others)] + ridge * unit * np.diag(noise[others])
        parts.append([control, mean, kernel[i, others] @ np.linalg.solve(penalised, smoothed)])
        truths.append(truth / np.linalg.norm(truth))
    weights, distance = nnls(np.concatenate(parts, axis=1).T, np.concatenate(truths))
    return distance**2 / len(centroids), weights


@pytest.mark.parametrize("spread", [0.1, 0.8])
def test_ridges_and_weights_are_the_best_of_refits_without_each_knockout(screen, spread):
    centroids, n_cells, base, effect = screen
    rng = np.random.default_rng(5)
    centroids = centroids + rng.normal(0, spread, centroids.shape)
    names = list(centroids.index)
    kernel = sum(Families().kernel(source, names, names) for source in Families.sources)
    effects = effects_of(training_of(centroids, n_cells, base))
    mix = direction_mix.fit_mix(("control", "mean", "ridge"), effects, kernel)
    case = (centroids, n_cells, base, effect), kernel, relative_noise(effects)
    refits = {
        setting: refitted_loss(*case, *setting)
        for setting in product(direction_mix.RIDGES, direction_mix.RESPONSE_RIDGES)
    }
    best = min(refits, key=lambda setting: refits[setting][0])
    assert (mix.ridge, mix.response_ridge) == best
    np.testing.assert_allclose(mix.weights, refits[best][1], atol=1e-4)


def test_a_badly_measured_direction_is_leant_on_less(screen):
    centroids, n_cells, base, _ = screen
    few = pd.Series(100, index=n_cells.index).where(n_cells.index != "A0", 20)
    fitted = KernelRidge().fit(training_of(centroids, few, base), Families())
    alike = Families().kernel("family", ["Anew"], list(centroids.index))
    badly, well, *_ = (alike @ fitted.mix.regressor)[0]
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
    mix = direction_mix.fit_mix(("mean",), effects, np.eye(len(centroids)))
    assert mix.scale == np.median(effects.lengths[:-1]) < effects.lengths[-1] / 10


def test_the_rung_never_sees_the_training_knockouts_own_transcripts(screen):
    centroids, n_cells, base, _ = screen
    genes = [*centroids.index, *centroids.columns[len(centroids) :]]
    directions = []
    for ratio in (0.1, 1.0):
        table = centroids.set_axis(genes, axis=1)
        for name in table.index:
            table.loc[name, name] *= ratio
        fitted = OwnTranscript(Blend()).fit(training_of(table, n_cells, base), Families())
        directions.append(fitted.rung.effects.directions)
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


def test_a_target_that_is_no_measured_gene_keeps_the_rungs_prediction(screen):
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


def test_the_response_ridge_shrinks_principal_directions_as_ridge_regression_does():
    rng = np.random.default_rng(4)
    directions = rng.normal(size=(7, 30))
    directions[:6] -= directions[:6].mean(axis=0)
    gram = directions @ directions.T
    basis = direction_mix._responses(gram).basis(0.3)
    ridge = 0.3 * np.linalg.eigvalsh(gram[:6, :6])[-1]
    expected = gram[:6, :6] @ np.linalg.inv(gram[:6, :6] + ridge * np.eye(6))
    np.testing.assert_allclose(basis @ basis.T, expected, atol=1e-9)


def test_a_direction_from_fewer_cells_or_of_a_weaker_effect_counts_as_noisier():
    shares, lengths = np.array([0.4, 0.2, 0.2, 0.2]), np.array([1.0, 1.0, 2.0, 1.0, 3.0])
    effects = Effects(list("abcd"), np.zeros(2), np.zeros((5, 2)), lengths, shares)
    noise = relative_noise(effects)
    np.testing.assert_allclose(noise / noise[0], [1, 2, 0.5, 2])
    assert noise.mean() == pytest.approx(1)
