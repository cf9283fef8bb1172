"""Says in a biologist's words what the prediction of a knock-out leans on.

    python -m tools.explain PPARG CEBPA [--model resources] [--top 5]

For each target: the training knock-outs whose effects its prediction mixes, with their weights, the
terms of GO, PubMed and Pfam that target and knock-out share, and the genes predicted to move most
against the mean perturbed cell.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import main as submission
from perturbation.answers import fitted
from perturbation.errors import InputError
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.parts import Predictor
from perturbation.model.predictors import DirectionMix
from perturbation.output.model_file import Model, load_model

TERMS_OF_A_SOURCE = 3
RESOURCES = Path(__file__).resolve().parent.parent / "resources"


def explain(
    target: str, predictor: Predictor, model: Model, gene_features: GeneFeatures, top: int
) -> str:
    """Explain one target.

    Parameters
    ----------
    target
        The gene to knock out.
    predictor
        The shipped predictor, fitted.
    model
        What it was fitted to.
    gene_features
        The knowledge it uses.
    top
        How many knock-outs, and genes each way, to list.
    """
    training = model.training
    centre = training.perturbed_centroid
    delta = predictor.predict([target])[0] - centre
    moved = np.argsort(delta)
    if target in training.perturbation_centroids.index:
        basis = [f"  {target} was measured in training: its own mean profile is used."]
    else:
        basis = _basis(target, predictor, gene_features, top)
    return "\n".join(
        [
            target,
            *basis,
            f"  genes predicted to rise most: {_genes(training.genes, delta, moved[::-1][:top])}",
            f"  genes predicted to fall most: {_genes(training.genes, delta, moved[:top])}",
            f"  its own transcript: {_own(target, predictor, model)}",
        ]
    )


def _basis(target: str, predictor: Predictor, gene_features: GeneFeatures, top: int) -> list[str]:
    """Lines about the training knock-outs with the largest weights."""
    mix = getattr(predictor, "inner", predictor)
    if not isinstance(mix, DirectionMix):
        return [f"  {type(mix).__name__} is no mix of training knock-outs: no weights to show."]
    coefficients = mix.coefficients([target])[0]
    known = [name for name in gene_features.sources if gene_features.known(name, [target])[0]]
    if not known:
        return ["  Nothing is known about it: it gets the answer that fits all knock-outs."]
    total = np.abs(coefficients).sum()
    lines = [
        f"  weight of the way back to the control cells: {coefficients[-1] / total:.0%}",
        "  training knock-outs with the largest weights:",
    ]
    for number in np.argsort(-np.abs(coefficients[:-1]))[:top]:
        knockout = mix.effects.perturbations[number]
        lines.append(f"    {knockout:12} {coefficients[number] / total:+.1%}")
        lines += _shared(target, knockout, gene_features)
    return lines


def _shared(target: str, knockout: str, gene_features: GeneFeatures) -> list[str]:
    """One line for each source with shared terms, the most telling terms first."""
    lines = []
    for name in gene_features.sources:
        terms = gene_features.shared_terms(name, target, knockout, TERMS_OF_A_SOURCE)
        if terms:
            words = [f"{term.name} ({term.term})" if term.name else term.term for term in terms]
            lines.append(f"      {name}: {'; '.join(words)}")
    return lines


def _genes(genes: np.ndarray, delta: np.ndarray, rows: np.ndarray) -> str:
    return ", ".join(f"{genes[row]} {delta[row]:+.2f}" for row in rows)


def _own(target: str, predictor: Predictor, model: Model) -> str:
    if target not in model.training.genes:
        return "not among the measured genes"
    column = model.columns_of([target])[0]
    predicted = predictor.predict([target])[0, column]
    return (
        f"{model.training.control_centroid[column]:.2f} in control cells, predicted {predicted:.2f}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the explanation of every target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="+", metavar="GENE")
    parser.add_argument("--model", type=Path, default=RESOURCES, help="default: resources/")
    parser.add_argument("--top", type=int, default=5, help="default: 5")
    options = parser.parse_args(arguments)
    if not options.model.is_dir():
        parser.error(f"--model {options.model} is no directory")
    try:
        model = load_model(options.model)
        gene_features = load_gene_features(options.model / GENE_FEATURES_FILE)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    predictor = fitted(submission.shipped_predictor(), model.training, gene_features)
    print("Unit: log2(1 + counts per 100,000); with + or -, against the mean perturbed cell.\n")
    for target in options.targets:
        print(explain(target, predictor, model, gene_features, options.top), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
