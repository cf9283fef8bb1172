from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls

from perturbation.competition import PROGRAM_FLAGS
from perturbation.model import direction_mix, stacking
from perturbation.model.effects import (
    Effects,
    effects_of,
    gram_without,
    relative_noise,
    residual_gram,
)
from perturbation.model.gene_kernels import source_weights
from perturbation.model.own_gene import OwnGene
from perturbation.model.predictors import (
    Blend,
    ControlCentroid,
    KernelRidge,
    MeanUnitResidual,
    OwnTranscript,
)
from tests.conftest import training_of

N_GENES = 80


class Families:
    """Gene features by hand: genes of one family are alike, an unknown gene is like none."""

    sources = ("family", "noise")
    process = ""

    def listed(self, source, genes, terms):
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


def correlation(predicted, expected):
    return np.corrcoef(predicted, expected)[0, 1]


@pytest.mark.parametrize("kind", [KernelRidge, Blend, own_blend])
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
    control, mean, *_ = blend.mix.weights
    parts = np.append(np.full(len(centroids), mean / len(centroids)), control)
    np.testing.assert_allclose(unknown, blend.mix.scale * parts)
    assert np.ptp(known[:-1]) > 0.1


def test_without_features_all_still_predicts(screen):
    centroids, n_cells, base, _ = screen
    for kind in (MeanUnitResidual, KernelRidge, Blend, own_blend):
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


def test_leaving_one_out_is_as_if_it_had_never_been_measured(screen):
    centroids, n_cells, base, _ = screen
    left_out = 5
    effects = effects_of(training_of(centroids, n_cells, base))
    found = gram_without(residual_gram(effects), effects.shares, left_out)
    rest = centroids.drop(index=centroids.index[left_out])
    centre = np.average(rest, axis=0, weights=n_cells[rest.index])
    expected = np.vstack([centroids, base]) - centre
    np.testing.assert_allclose(found, expected @ expected.T, atol=1e-9)


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


def with_measured_knockouts(screen):
    """Noisier effects, and half of the knock-outs among the genes."""
    centroids, n_cells, base, _ = screen
    rng = np.random.default_rng(5)
    names = list(centroids.index)
    genes = [*names[::2], *centroids.columns[len(names[::2]) :]]
    centroids = (centroids + rng.normal(0, 0.5, centroids.shape)).set_axis(genes, axis=1)
    programs = base + rng.normal(0, 1, (4, N_GENES))
    shares = pd.DataFrame(index=names)
    return training_of(centroids, n_cells, base, shares), pd.DataFrame(
        programs, list(PROGRAM_FLAGS), genes
    )


def refitted(training, kernels, noise, candidates):
    """What each candidate predicts, (n, n_candidates, n_genes), and the truth.

    All is fitted anew, on genes, without each knock-out.
    """
    names, genes = list(training.perturbation_centroids.index), list(training.genes)
    control = training.control_centroid
    change = training.program_centroids.loc["adipo"] - training.program_centroids.loc["pre_adipo"]
    own = np.array([genes.index(name) if name in genes else -1 for name in names])
    levels = np.where(own[:, None] >= 0, np.column_stack([control, change])[own], np.nan)
    levels = (levels - np.nanmean(levels, axis=0)) / np.nanstd(levels, axis=0)
    predicted, truths = np.zeros((len(names), len(candidates), len(genes))), []
    for i, name in enumerate(names):
        rest = effects_of(training.without([name]))
        truth = training.perturbation_centroids.loc[name].to_numpy() - rest.perturbed_centroid
        truths.append(truth / np.linalg.norm(truth))
        others = np.delete(np.arange(len(names)), i)
        *directions, control_direction = rest.directions
        mean = np.mean(directions, axis=0)
        deviations = directions - mean
        gram = deviations @ deviations.T
        axes = np.linalg.eigh(gram)[1][:, -10:]
        loadings = np.where(own[:, None] >= 0, deviations[:, own].T @ axes, 0)
        loadings /= np.sqrt((loadings**2).sum(axis=1).mean())
        described = np.hstack([np.nan_to_num(levels), loadings])
        all_kernels = {**kernels, "own gene": described @ described.T}
        for number, (part, ridge, response_ridge) in enumerate(candidates):
            if part in ("control", "mean"):
                predicted[i, number] = control_direction if part == "control" else mean
                continue
            kernel = all_kernels[part]
            kept = gram + response_ridge * np.linalg.eigvalsh(gram)[-1] * np.eye(len(gram))
            smoothed = gram @ np.linalg.solve(kept, deviations)
            unit = np.trace(kernel) / len(kernel)
            penalised = kernel[np.ix_(others, others)] + ridge * unit * np.diag(noise[others])
            predicted[i, number] = kernel[i, others] @ np.linalg.solve(penalised, smoothed)
    return predicted, np.array(truths)


PARTS = ("control", "mean", "knowledge", "own gene", "process")


@pytest.fixture
def case(screen):
    """All that a mix is fitted to, and brute-force refits of it without each knock-out."""
    training, programs = with_measured_knockouts(screen)
    training = replace(training, program_centroids=programs)
    names = list(training.perturbation_centroids.index)
    of_process = np.array([name[1] in "0134" for name in names], dtype=float)
    kernels = {
        "knowledge": sum(Families().kernel(source, names, names) for source in Families.sources),
        "process": np.outer(of_process, of_process),
    }
    effects = effects_of(training)
    candidates = direction_mix._candidates(PARTS)
    refits = refitted(training, kernels, relative_noise(effects), candidates)
    return effects, kernels, OwnGene.of(training, effects), candidates, *refits


def test_what_each_part_predicts_for_a_knockout_left_out_is_as_if_it_was_never_measured(case):
    effects, kernels, own, candidates, predicted, truths = case
    products, with_truth = direction_mix._left_out_moments(
        candidates, effects, kernels, own, relative_noise(effects)
    )
    np.testing.assert_allclose(products, predicted @ predicted.transpose(0, 2, 1), atol=1e-8)
    np.testing.assert_allclose(with_truth, np.einsum("icg,ig->ic", predicted, truths), atol=1e-8)


def test_ridges_and_weights_are_the_best_of_refits_without_each_knockout(case):
    effects, kernels, own, candidates, predicted, truths = case
    mix = direction_mix.fit_mix(PARTS[:3], effects, kernels, own)
    fits = {}
    for number, candidate in enumerate(candidates):
        if candidate.part == "knowledge":
            columns = np.concatenate(predicted[:, [0, 1, number]], axis=1).T
            fits[candidate] = nnls(columns, truths.ravel())
    best = min(fits, key=lambda candidate: fits[candidate][1])
    assert mix.candidates[2] == best
    np.testing.assert_allclose(mix.weights, fits[best][0], atol=1e-4)


def test_a_part_on_trial_gets_the_share_that_its_gains_over_refits_earn(case):
    effects, kernels, own, candidates, predicted, truths = case
    without, mix = (direction_mix.fit_mix(PARTS[:n], effects, kernels, own) for n in (3, 4))
    numbers = [candidates.index(candidate) for candidate in mix.candidates]
    columns = np.concatenate(predicted[:, numbers], axis=1).T
    after = nnls(columns, truths.ravel())[0]
    before = np.append(without.weights, 0)
    losses = [
        ((np.einsum("c,icg->ig", weights, predicted[:, numbers]) - truths) ** 2).sum(axis=1)
        for weights in (before, after)
    ]
    gain = losses[0] - losses[1]
    error = gain.std() / np.sqrt(len(gain) - 1)
    trust = max(0, 1 - (error / gain.mean()) ** 2) if gain.mean() > error else 0
    np.testing.assert_allclose(mix.weights, before + trust * (after - before), atol=1e-4)


@pytest.mark.parametrize(
    ("gains", "share"), [([0.01, 0.03], 0.75), ([0.0, 0.0], 0), ([-1, 1.5], 0), ([2, 2], 1)]
)
def test_trust_by_hand(gains, share):
    assert stacking.trust(np.array(gains)) == pytest.approx(share)


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
    held_out = training.without(names[:10])
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
    fitted = KernelRidge().fit(training_of(centroids, few, base), Families())
    alike = Families().kernel("family", ["Anew"], list(centroids.index))
    badly, well, *_ = (alike @ fitted.mix.regressors["knowledge"])[0]
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
    own = OwnGene.of(training_of(centroids, n_cells, base + 100), effects)
    mix = direction_mix.fit_mix(("mean",), effects, {}, own)
    assert mix.scale == np.median(effects.lengths[:-1]) < effects.lengths[-1] / 10


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


def test_the_response_ridge_shrinks_principal_directions_as_ridge_regression_does():
    rng = np.random.default_rng(4)
    directions = rng.normal(size=(7, 30))
    directions[:6] -= directions[:6].mean(axis=0)
    gram = directions @ directions.T
    basis = direction_mix.basis(*direction_mix.principal_axes(gram), 0.3)
    ridge = 0.3 * np.linalg.eigvalsh(gram[:6, :6])[-1]
    expected = gram[:6, :6] @ np.linalg.inv(gram[:6, :6] + ridge * np.eye(6))
    np.testing.assert_allclose(basis @ basis.T, expected, atol=1e-9)


def test_a_direction_from_fewer_cells_or_of_a_weaker_effect_counts_as_noisier():
    shares, lengths = np.array([0.4, 0.2, 0.2, 0.2]), np.array([1.0, 1.0, 2.0, 1.0, 3.0])
    effects = Effects(list("abcd"), np.zeros(2), np.zeros((5, 2)), lengths, shares)
    noise = relative_noise(effects)
    np.testing.assert_allclose(noise / noise[0], [1, 2, 0.5, 2])
    assert noise.mean() == pytest.approx(1)
