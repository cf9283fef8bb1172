"""Cells chosen and moved within programs: cells and proportions tell the same story.

    cp examples/programs.py main.py && python local_test.py --cv 5 --whole

Of the 100 cells of a target, as many are fat cells as its predicted proportions say.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import Summary, summarise
from perturbation.model.cells import BaseCells, choose_cells, herded
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.model.predictors import Blend, OwnTranscript
from perturbation.model.programs import predict_proportions
from perturbation.output.model_file import Model, load_model, save_model
from perturbation.output.prediction_file import write_prediction

CLASSES = ("pre_adipo", "adipo", "other", "lipo")
"""A cell that is lipo is adipo too; here adipo stands for the others of them."""


def choose_of(summary: Summary, name: str) -> np.ndarray:
    """(100, n_genes) float32 perturbed cells of a class; of all classes where there is none."""
    flags = summary.cell_programs
    is_class = flags[name].to_numpy(bool) & ((name != "adipo") | (flags["lipo"] == 0).to_numpy())
    rows = np.flatnonzero(is_class & (summary.cell_labels != CONTROL_LABEL))
    if not len(rows):
        return choose_cells(summary)
    return summary.cells[herded(summary.cells, rows, CELLS_PER_PERTURBATION)].toarray()


def train(data_directory_path: str, model_directory_path: str) -> None:
    """Keep 100 cells of each class beside the centroids."""
    summary = summarise(open_dataset(data_directory_path))
    kept = {name: choose_of(summary, name) for name in CLASSES}
    save_model(Model(summary.training, choose_cells(summary), kept), model_directory_path)


def mixed_cells(of_class: list[np.ndarray], shares: np.ndarray, centroid: np.ndarray) -> np.ndarray:
    """Take of each class its share of 100 cells, and move all by what the mean lacks."""
    ends = np.rint(CELLS_PER_PERTURBATION * np.cumsum(shares)).astype(int)
    parts = [c[:n] for c, n in zip(of_class, np.diff(ends, prepend=0), strict=True) if n]
    lacking = centroid - np.concatenate(parts).mean(axis=0, dtype=np.float64)
    means = [np.maximum(part.mean(axis=0, dtype=np.float64) + lacking, 0) for part in parts]
    return np.concatenate([BaseCells(p).with_mean(m) for p, m in zip(parts, means, strict=True)])


def infer(
    prediction_h5ad_file_path: str,
    program_proportion_csv_file_path: str,
    model_directory_path: str,
    predict_perturbations: Sequence[str],
    genes_to_predict: Sequence[str],
) -> None:
    """Predict proportions first, then cells that keep to them."""
    model = load_model(model_directory_path)
    features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    columns = model.columns_of(genes_to_predict)
    predictor = OwnTranscript(Blend()).fit(model.training, features)
    table = predict_proportions(model.training, features, predictor, predict_perturbations)
    shares = table.assign(adipo=table["adipo"] - table["lipo"])[list(CLASSES)].to_numpy()
    of_class = [model.kept[name][:, columns] for name in CLASSES]

    def cells() -> Iterator[np.ndarray]:
        for name, share in zip(predict_perturbations, shares, strict=True):
            yield mixed_cells(of_class, share, predictor.predict([name])[0, columns])

    paths = prediction_h5ad_file_path, program_proportion_csv_file_path
    write_prediction(*paths, cells(), genes_to_predict, table)
