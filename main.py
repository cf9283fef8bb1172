"""The submission: train() sums up the data, infer() predicts cells that nobody measured.

The platform calls each in a process of its own, and passes arguments by name. Only what train()
leaves in the model directory (resources/) reaches infer(). Between them stand fit() and predict():
what they do is what ships, and what `python local_test.py --cv 5` judges.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import CELLS_PER_PERTURBATION
from perturbation.data.dataset import open_dataset
from perturbation.data.names import check_names
from perturbation.data.summary import Summary, summarise
from perturbation.files import carry_along
from perturbation.model.cells import cells_at, choose_cells
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.parts import (
    Cells,
    Predictor,
    Proportions,
    checked_base_cells,
    checked_proportions,
    fitted,
    predicted_centroids,
)
from perturbation.model.predictors import Blend, OwnTranscript
from perturbation.model.programs import predict_proportions
from perturbation.output.model_file import Model, load_model, save_model
from perturbation.output.prediction_file import write_prediction

RESOURCES = Path(__file__).resolve().parent / "resources"


def shipped_predictor() -> Predictor:
    """Return the predictor of centroids that ships: the part to improve."""
    return OwnTranscript(Blend())


def fit(summary: Summary, gene_features: GeneFeatures, *, cells: Cells = choose_cells) -> Model:
    """Learn what needs single cells, or time: this runs once, in train().

    Parameters
    ----------
    summary
        Centroids and some real cells of the training set.
    gene_features
        What is known about genes before any experiment.
    cells
        Makes the 100 cells that predictions are made of.

    Returns
    -------
    Model, all of which reaches predict(); put arrays of your own into its ``kept``.
    """
    shape = (CELLS_PER_PERTURBATION, len(summary.training.genes))
    return Model(summary.training, checked_base_cells(cells(summary), shape))


def predict(
    model: Model,
    gene_features: GeneFeatures,
    perturbations: Sequence[str],
    genes: Sequence[str],
    *,
    predictor: Callable[[], Predictor] = shipped_predictor,
    proportions: Proportions = predict_proportions,
) -> tuple[Iterator[np.ndarray], pd.DataFrame]:
    """Predict knock-outs: this runs in infer(). Fitting centroids here takes a second.

    Parameters
    ----------
    model
        From fit().
    gene_features
        What is known about genes before any experiment.
    perturbations
        Knocked-out genes.
    genes
        Columns of the answer.
    predictor, proportions
        Parts that can be exchanged; see perturbation/model/parts.py.

    Returns
    -------
    cells
        Yields (100, len(genes)) float32 for each perturbation, log2(1 + counts per 100,000).
    proportions
        (len(perturbations), 4) pre_adipo, adipo, other, lipo.
    """
    # 1. Centroids: learnt from the training centroids and from what is known about genes.
    fitted_predictor = fitted(predictor(), model.training, gene_features)
    centroids = predicted_centroids(fitted_predictor, perturbations, len(model.training.genes))

    # 2. Cells: the base cells moved to each centroid, made while they are written.
    columns = model.columns_of(genes)
    cells = cells_at(model.base_cells[:, columns], (row[columns] for row in centroids))

    # 3. Proportions of the programs.
    shares = proportions(model.training, gene_features, fitted_predictor, perturbations)
    return cells, checked_proportions(shares, perturbations)


def train(data_directory_path: str, model_directory_path: str) -> None:
    """Read the training cells once and write model.npz.

    Parameters
    ----------
    data_directory_path
        Holds obesity_challenge_1.h5ad, X in log2(1 + counts per 100,000), and
        program_proportion.csv.
    model_directory_path
        resources/, with gene_features.npz (another directory gets a copy of it); gets model.npz.
        Whatever else you keep there reaches infer() too.
    """
    carry_along(RESOURCES / GENE_FEATURES_FILE, model_directory_path)
    gene_features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    summary = summarise(open_dataset(data_directory_path))
    save_model(fit(summary, gene_features), model_directory_path)


def infer(
    data_directory_path: str,  # not read: the model holds all that is needed
    prediction_directory_path: str,
    prediction_h5ad_file_path: str,
    program_proportion_csv_file_path: str,
    model_directory_path: str,
    predict_perturbations: Sequence[str],
    genes_to_predict: Sequence[str],
) -> None:
    """Write prediction.h5ad and predict_program_proportion.csv.

    Parameters
    ----------
    data_directory_path, prediction_directory_path
        Not used; the platform passes them.
    prediction_h5ad_file_path
        Gets 100 cells for each perturbation, float32, log2(1 + counts per 100,000).
    program_proportion_csv_file_path
        Gets the columns gene, pre_adipo, adipo, lipo, other.
    model_directory_path
        resources/, with model.npz and gene_features.npz.
    predict_perturbations
        Knocked-out genes, one answer for each.
    genes_to_predict
        Columns of the answer, in this order.
    """
    model = load_model(model_directory_path)
    gene_features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    perturbations = check_names(predict_perturbations, "predict_perturbations")
    genes = check_names(genes_to_predict, "genes_to_predict")
    cells, proportions = predict(model, gene_features, perturbations, genes)
    write_prediction(
        prediction_h5ad_file_path, program_proportion_csv_file_path, cells, genes, proportions
    )
