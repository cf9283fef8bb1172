"""PCA and ridge regression, fitted once in train() and kept in resources/; numpy alone.

    cp examples/ridge.py main.py && python local_test.py --cv 5 --whole

With scikit-learn instead, requirements.txt needs the line scikit-learn.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.model.cells import cells_at, choose_cells
from perturbation.model.gene_features import GENE_FEATURES_FILE, GeneFeatures, load_gene_features
from perturbation.model.predictors import Blend
from perturbation.model.programs import predict_proportions
from perturbation.output.model_file import Model, load_model, save_model
from perturbation.output.prediction_file import write_prediction

N_AXES, RIDGE = 5, 3.0


def describe(features: GeneFeatures, genes: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Likeness to each training knock-out, mean over what is known: (len(genes), len(names))."""
    return np.mean([features.kernel(source, genes, names) for source in features.sources], axis=0)


def train(data_directory_path: str, model_directory_path: str) -> None:
    """Fit effects on what is known about the genes; keep the weights in model.npz."""
    summary = summarise(open_dataset(data_directory_path))
    features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    centroids = summary.training.perturbation_centroids
    names = list(centroids.index)
    known = describe(features, names, names)
    np.fill_diagonal(known, 0)  # a new target is never in the training set, so nor is this one
    effects = centroids.to_numpy() - summary.training.perturbed_centroid
    axes = np.linalg.svd(effects, full_matrices=False)[2][:N_AXES]
    x = known - known.mean(axis=0)
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(len(names)), x.T @ effects @ axes.T)
    kept = {"mean_known": known.mean(axis=0), "weights": weights, "axes": axes}
    save_model(Model(summary.training, choose_cells(summary), kept), model_directory_path)


def infer(
    prediction_h5ad_file_path: str,
    program_proportion_csv_file_path: str,
    model_directory_path: str,
    predict_perturbations: Sequence[str],
    genes_to_predict: Sequence[str],
) -> None:
    """Load the weights and write both files; the platform passes arguments by name."""
    model = load_model(model_directory_path)
    features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    training, kept = model.training, model.kept
    columns = model.columns_of(genes_to_predict)
    known = describe(features, predict_perturbations, list(training.perturbation_centroids.index))
    effects = (known - kept["mean_known"]) @ kept["weights"] @ kept["axes"][:, columns]
    centroids = np.maximum(training.perturbed_centroid[columns] + effects, 0)
    cells = cells_at(model.base_cells[:, columns], centroids)
    predictor = Blend(["mean"]).fit(training, features)  # the shipped rule may ask for effects
    shares = predict_proportions(training, features, predictor, predict_perturbations)
    paths = prediction_h5ad_file_path, program_proportion_csv_file_path
    write_prediction(*paths, cells, genes_to_predict, shares)
