"""Says in a biologist's words what the prediction of a knock-out leans on.

    python -m tools.explain PPARG CEBPA [--model resources] [--top 5]

For each target: the training knock-outs whose effects its prediction mixes, with their weights, the
terms of GO, PubMed and Pfam that target and knock-out share, and the genes predicted to move most
against the mean perturbed cell.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.command import RESOURCES, command_parser, ending, users_main
from evaluation.reading import did_you_mean
from evaluation.report.words import inner, learnt_weights, weights_in_words
from perturbation.data.summary import TrainingCentroids
from perturbation.errors import InputError
from perturbation.model.gene_features import (
    GENE_FEATURES_FILE,
    GeneFeatures,
    SharedTerm,
    load_gene_features,
)
from perturbation.model.parts import Predictor, fitted, predicted_centroids
from perturbation.output.model_file import load_model

TERMS_OF_A_SOURCE = 3
PAPER = "https://pubmed.ncbi.nlm.nih.gov/{}/"


def explain(
    target: str,
    centroid: np.ndarray,
    predictor: Predictor,
    training: TrainingCentroids,
    gene_features: GeneFeatures,
    top: int,
) -> str:
    """Explain one target.

    Parameters
    ----------
    target
        The gene to knock out.
    centroid
        (n_genes,) predicted for it, log2(1 + counts per 100,000).
    predictor
        What predicted it, fitted.
    training
        What it was fitted to.
    gene_features
        The knowledge it uses.
    top
        How many knock-outs, and genes each way, to list.
    """
    predicted = pd.Series(centroid, training.genes)
    delta = predicted - training.perturbed_centroid
    own = "not among the measured genes"
    if target in predicted.index:
        level = training.control_centroid[predicted.index.get_loc(target)]
        own = f"{level:.2f} in control cells, predicted {predicted[target]:.2f}"
    rise, fall = (
        ", ".join(f"{gene} {value:+.2f}" for gene, value in genes.items())
        for genes in (delta.nlargest(top), delta.nsmallest(top))
    )
    lines = [target, *_basis(target, predictor, training, gene_features, top)]
    lines += [f"  genes predicted to rise most: {rise}", f"  genes predicted to fall most: {fall}"]
    return "\n".join([*lines, f"  its own transcript: {own}"])


def _basis(
    target: str,
    predictor: Predictor,
    training: TrainingCentroids,
    gene_features: GeneFeatures,
    top: int,
) -> list[str]:
    """Lines about the training knock-outs with the largest weights."""
    knockouts, rung = training.perturbation_centroids.index, inner(predictor)
    if target in knockouts:
        return [f"  {target} was measured in training: its own mean profile is used."]
    if (coefficients_of := getattr(rung, "coefficients", None)) is None:
        return [f"  {type(rung).__name__} is no mix of training knock-outs: no weights to show."]
    if not any(gene_features.known(name, [target])[0] for name in gene_features.sources):
        return ["  Nothing is known about it: it gets the answer that fits all knock-outs."]
    coefficients = coefficients_of([target])[0]
    weights = coefficients / (np.abs(coefficients).sum() or 1.0)
    lines = [
        f"  weight of the way back to the control cells: {weights[len(knockouts) :].sum():.0%}",
        "  training knock-outs with the largest weights:",
    ]
    for number in np.argsort(-np.abs(weights[: len(knockouts)]))[:top]:
        lines.append(f"    {knockouts[number]:12} {weights[number]:+.1%}")
        for name in gene_features.sources:
            shared = (target, knockouts[number], TERMS_OF_A_SOURCE)
            if terms := gene_features.shared_terms(name, *shared):
                lines.append(f"      {name}: {'; '.join(_term(name, term) for term in terms)}")
    return lines


def _term(source: str, term: SharedTerm) -> str:
    """Name a term; of a paper, whose title nobody stored, give the address."""
    if source == "PubMed":
        return PAPER.format(term.term)
    return f"{term.name} ({term.term})" if term.name else term.term


def explain_all(targets: list[str], model: Path, top: int) -> None:
    """Print the explanation of every target; InputError where one is no gene at all."""
    training = load_model(model).training
    gene_features = load_gene_features(model / GENE_FEATURES_FILE)
    known = {*training.genes, *training.perturbation_centroids.index, *gene_features.row_of}
    for target in targets:
        if target not in known:
            raise InputError(
                f"{target} is no gene that is measured, knocked out in training or known to "
                f"{GENE_FEATURES_FILE}.{did_you_mean(target, known)}"
            )
    predictor = fitted(users_main().shipped_predictor(), training, gene_features)
    centroids = predicted_centroids(predictor, targets, len(training.genes))
    for kind, weights in learnt_weights(predictor, gene_features).items():
        print(f"{kind}: {weights_in_words(weights)}")
    print("Unit: log2(1 + counts per 100,000); with + or -, against the mean perturbed cell.\n")
    for target, centroid in zip(targets, centroids, strict=True):
        print(explain(target, centroid, predictor, training, gene_features, top), end="\n\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = command_parser(__doc__)
    parser.add_argument("targets", nargs="+", metavar="GENE")
    parser.add_argument("--model", type=Path, default=RESOURCES, help="default: resources/")
    parser.add_argument("--top", type=int, default=5, help="default: 5")
    options = parser.parse_args(arguments)
    return ending(lambda: explain_all(**vars(options)))


if __name__ == "__main__":
    sys.exit(main())
