"""A small network, trained by gradient steps over mini-batches of cells, in numpy, not torch.

cp examples/network.py main.py && python local_test.py --cv 5 --whole
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.model.cells import cells_at, choose_cells
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.model.predictors import Blend
from perturbation.model.programs import predict_proportions
from perturbation.output.model_file import Model, load_model, save_model
from perturbation.output.prediction_file import write_prediction

N_AXES, N_HIDDEN, N_EPOCHS, BATCH, STEP, DECAY = 8, 16, 30, 64, 0.02, 1e-3


def forward(net: dict[str, np.ndarray], known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden and output layer; in torch, an nn.Module."""
    hidden = np.tanh((known - net["known_mean"]) / net["known_scale"] @ net["into"])
    return hidden, hidden @ net["out"]


def step(net: dict[str, np.ndarray], known: np.ndarray, wanted: np.ndarray) -> None:
    """One step down the squared error; in torch, loss.backward() and optimiser.step()."""
    hidden, found = forward(net, known)
    error = (found - wanted) / len(wanted)
    slope = error @ net["out"].T * (1 - hidden**2)
    scaled = (known - net["known_mean"]) / net["known_scale"]
    net["out"] -= STEP * (hidden.T @ error + DECAY * net["out"])
    net["into"] -= STEP * (scaled.T @ slope + DECAY * net["into"])


def train(data_directory_path: str, model_directory_path: str) -> None:
    """Learn, from single cells, where a knock-out moves a cell along the main axes of effects."""
    summary, rng = summarise(open_dataset(data_directory_path)), np.random.default_rng(0)
    features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    training, names = summary.training, list(summary.training.perturbation_centroids.index)
    known = features.kernel("GO", names, names) * (1 - np.eye(len(names)))  # no target knows itself
    mean = training.perturbed_centroid
    axes = np.linalg.svd(training.perturbation_centroids - mean, full_matrices=False)[2][:N_AXES]
    rows = np.flatnonzero(np.isin(summary.cell_labels, names))
    of_cell = np.searchsorted(names, summary.cell_labels[rows])
    wanted = (summary.cells @ axes.T - mean @ axes.T)[rows]  # in torch, a Dataset of cells
    net = {"axes": axes, "known_mean": known.mean(axis=0), "known_scale": known.std() + 1e-9}
    net["into"] = rng.normal(0, 0.1, (len(names), N_HIDDEN)) / np.sqrt(len(names))
    net["out"] = rng.normal(0, 0.1, (N_HIDDEN, len(axes)))
    for _ in range(N_EPOCHS):
        for batch in np.array_split(rng.permutation(len(rows)), -(-len(rows) // BATCH)):
            step(net, known[of_cell[batch]], wanted[batch])
    np.savez(Path(model_directory_path, "network.npz"), **net)  # in torch, save(state_dict())
    save_model(Model(training, choose_cells(summary)), model_directory_path)


def infer(
    prediction_h5ad_file_path: str,
    program_proportion_csv_file_path: str,
    model_directory_path: str,
    predict_perturbations: Sequence[str],
    genes_to_predict: Sequence[str],
) -> None:
    """Load weights and scaler, and move real cells to where the network says."""
    model, resources = load_model(model_directory_path), Path(model_directory_path)
    features, training = load_gene_features(resources / GENE_FEATURES_FILE), model.training
    names = list(training.perturbation_centroids.index)
    columns = model.columns_of(genes_to_predict)
    with np.load(resources / "network.npz", allow_pickle=False) as net:
        found = forward(net, features.kernel("GO", predict_perturbations, names))[1] @ net["axes"]
    centroids = np.maximum(training.perturbed_centroid + found, 0)
    cells = cells_at(model.base_cells[:, columns], centroids[:, columns])
    predictor = Blend(["mean"]).fit(training, features)  # the shipped rule may ask for effects
    shares = predict_proportions(training, features, predictor, predict_perturbations)
    paths = prediction_h5ad_file_path, program_proportion_csv_file_path
    write_prediction(*paths, cells, genes_to_predict, shares)
