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
from evaluation.reading import check_known
from evaluation.report.words import inner, learnt_weights
from perturbation.data.summary import TrainingCentroids
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
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
    knockouts, mixed = training.perturbation_centroids.index, inner(predictor)
    lines = [target]
    if target in knockouts:
        lines += ["  It was measured in training: its own mean profile is used."]
    elif not hasattr(mixed, "coefficients"):
        lines += [f"  {type(mixed).__name__} is no mix of training knock-outs: no weights to show."]
    elif target not in gene_features.row_of:
        lines += ["  Nothing is known about it: it gets the answer that fits all knock-outs."]
    else:
        coefficients = mixed.coefficients([target])[0]
        weights = coefficients / (np.abs(coefficients).sum() or 1.0)
        back, weights = weights[len(knockouts) :].sum(), weights[: len(knockouts)]
        lines += [f"  weight of the way back to the control cells: {back:.0%}"]
        lines += ["  training knock-outs with the largest weights:"]
        for number in np.argsort(-np.abs(weights))[:top]:
            lines += [f"    {knockouts[number]:12} {weights[number]:+.1%}"]
            lines += _shared(target, knockouts[number], gene_features)
    delta = pd.Series(centroid - training.perturbed_centroid, training.genes)
    for way, genes in (("rise", delta.nlargest(top)), ("fall", delta.nsmallest(top))):
        named = ", ".join(f"{gene} {value:+.2f}" for gene, value in genes.items())
        lines += [f"  genes predicted to {way} most: {named}"]
    return "\n".join(lines)


def _shared(target: str, knockout: str, gene_features: GeneFeatures) -> list[str]:
    """Name the terms that two genes share, source by source; of a paper give the address."""
    lines, rows = [], gene_features.rows_of([target, knockout])
    for name, source in gene_features.sources.items() if rows.min() >= 0 else ():
        shared = (source.rows[rows[:1]] * source.rows[rows[1:]]).tocoo()  # parts of their kernel
        terms = shared.coords[1][np.lexsort((shared.coords[1], -shared.data))][:TERMS_OF_A_SOURCE]
        said = [
            PAPER.format(term) if name == "PubMed" else f"{title} ({term})" if title else term
            for term, title in zip(source.terms[terms], source.term_names[terms], strict=True)
        ]
        lines += [f"      {name}: {'; '.join(said)}"] if said else []
    return lines


def explain_all(targets: list[str], model: Path, top: int) -> None:
    """Print the explanation of every target; InputError where one is no gene at all."""
    training = load_model(model).training
    gene_features = load_gene_features(model / GENE_FEATURES_FILE)
    known = {*training.genes, *training.perturbation_centroids.index, *gene_features.row_of}
    check_known(targets, known, "gene that is measured, knocked out in training or known")
    predictor = fitted(users_main().shipped_predictor(), training, gene_features)
    centroids = predicted_centroids(predictor, targets, len(training.genes))
    for kind, weights in learnt_weights(predictor, gene_features).items():
        print(f"{kind}: {weights}")
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
