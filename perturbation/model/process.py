"""The biological process under study: what a user of another system would change, in one place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perturbation.model.gene_features import GeneFeatures

START, END = "pre_adipo", "adipo"
"""Program flags of cells before and after the process."""

TERMS = {
    "GO:0045444": "fat cell differentiation",
    "GO:0045600": "positive regulation of fat cell differentiation",
    "GO:0045599": "negative regulation of fat cell differentiation",
}
"""Terms of the gene features that name it, and what they mean."""


def process_terms(gene_features: GeneFeatures | None, genes: Sequence[str]) -> np.ndarray:
    """Which genes are known to take part in the process.

    Parameters
    ----------
    gene_features
        From `load_gene_features`; None knows nothing.
    genes
        Names, aliases included.

    Returns
    -------
    (n_genes, n_terms) float64: 1 where some source lists the gene under the term, else 0.
    """
    found = np.zeros((len(genes), len(TERMS)))
    if gene_features is not None:
        for source in gene_features.sources:
            found = np.maximum(found, gene_features.listed(source, genes, list(TERMS)))
    return found
