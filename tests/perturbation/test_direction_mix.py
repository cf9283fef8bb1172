from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls

from evaluation.held_out import centroids_without
from perturbation.competition import PROGRAM_FLAGS
from perturbation.model import direction_mix, stacking
from perturbation.model.direction_mix import PARTS
from perturbation.model.effects import (
    Effects,
    effects_of,
    gram_without,
    own_genes,
    principal_axes,
    relative_noise,
    residual_gram,
    response_basis,
)
from tests.conftest import training_of
from tests.perturbation.conftest import N_GENES, Families


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
    unit = np.trace(kernel) / len(kernel)
    for i in range(len(names)):
        others = np.delete(np.arange(len(names)), i)
        rest = kernel[np.ix_(others, others)] + unit * np.diag(ridges[others])
        (found,) = direction_mix._left_out_regression(kernel, ridges, i)
        np.testing.assert_allclose(found, kernel[i, others] @ np.linalg.inv(rest))


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
        rest = centroids_without(training, [name])
        truth = training.perturbation_centroids.loc[name].to_numpy() - rest.perturbed_centroid
        rest = effects_of(rest)
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
    candidates = [c for part in PARTS for c in direction_mix.CANDIDATES[part]]
    refits = refitted(training, kernels, relative_noise(effects), candidates)
    return effects, kernels, own_genes(training, effects), candidates, *refits


def test_what_each_part_predicts_for_a_knockout_left_out_is_as_if_it_was_never_measured(case):
    effects, kernels, own, candidates, predicted, truths = case
    products, with_truth = direction_mix._left_out_moments(candidates, effects, kernels, own)
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


def test_the_response_ridge_shrinks_principal_directions_as_ridge_regression_does():
    rng = np.random.default_rng(4)
    directions = rng.normal(size=(7, 30))
    directions[:6] -= directions[:6].mean(axis=0)
    gram = directions @ directions.T
    basis = response_basis(*principal_axes(gram), 0.3)
    ridge = 0.3 * np.linalg.eigvalsh(gram[:6, :6])[-1]
    expected = gram[:6, :6] @ np.linalg.inv(gram[:6, :6] + ridge * np.eye(6))
    np.testing.assert_allclose(basis @ basis.T, expected, atol=1e-9)


def test_a_direction_from_fewer_cells_or_of_a_weaker_effect_counts_as_noisier():
    shares, lengths = np.array([0.4, 0.2, 0.2, 0.2]), np.array([1.0, 1.0, 2.0, 1.0, 3.0])
    effects = Effects(np.zeros((5, 2)), lengths, shares)
    noise = relative_noise(effects)
    np.testing.assert_allclose(noise / noise[0], [1, 2, 0.5, 2])
    assert noise.mean() == pytest.approx(1)
