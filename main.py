"""The submission: train() sums up the data, infer() predicts cells that nobody measured.

The platform calls each in a process of its own, and passes arguments by name. Only what train()
leaves in the model directory (resources/) reaches infer().
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL
from perturbation.data.dataset import open_dataset
from perturbation.data.names import check_names
from perturbation.data.summary import summarise
from perturbation.model.cells import BaseCells, choose_cells, predict_cells
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.model.predictors import shipped_predictor
from perturbation.model.programs import predict_proportions
from perturbation.output.model_file import Model, load_model, save_model
from perturbation.output.prediction_file import write_prediction


def train(data_directory_path: str, model_directory_path: str) -> None:
    """Read the training cells once and write model.npz.

    Parameters
    ----------
    data_directory_path
        Holds obesity_challenge_1.h5ad, X in log2(1 + counts per 100,000), and
        program_proportion.csv.
    model_directory_path
        resources/; gets model.npz.
    """
    # 1. Open the data and check what can be checked before the long read.
    dataset = open_dataset(data_directory_path)

    # 2. One pass: the mean profile of every knock-out, and some cells of each.
    summary = summarise(dataset)

    # 3. Choose the real cells that every prediction is made of.
    perturbed = np.flatnonzero(summary.cell_labels != CONTROL_LABEL)
    chosen = choose_cells(summary.cells, perturbed, CELLS_PER_PERTURBATION)

    # 4. Keep what infer() needs.
    save_model(Model.of(summary, chosen), model_directory_path)


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
    # 1. Load what train() left, and check what is asked.
    model = load_model(model_directory_path)
    perturbations = check_names(predict_perturbations, "predict_perturbations")
    columns = model.columns_of(check_names(genes_to_predict, "genes_to_predict"))

    # 2. Fit the predictor of centroids; this is the part to improve.
    gene_features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    predictor = shipped_predictor().fit(
        model.centroids, model.n_cells, model.control_centroid, gene_features
    )

    # 3. Predict: cells with the predicted mean, made while they are written, and proportions.
    base_cells = BaseCells(model.base_cells[:, columns])
    cells = predict_cells(predictor, base_cells, columns, perturbations)
    proportions = predict_proportions(model.proportions, perturbations, gene_features)

    # 4. Write both files, whole or not at all.
    write_prediction(
        prediction_h5ad_file_path,
        program_proportion_csv_file_path,
        cells,
        model.genes[columns],
        proportions,
        cells_per_perturbation=len(model.base_cells),
    )
