"""Check and score a prediction as the platform does, in plain formulas.

Of the project's own writing; stands where the client looks for the competition's scoring. The truth
is `tf150_gtruth.h5ad` and `program_proportion_gtruth.csv` of the data directory.
"""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from crunch.unstructured import ScoredMetric

PREDICTION_FILE = "prediction.h5ad"
PROPORTIONS_FILE = "predict_program_proportion.csv"
CELLS_PER_PERTURBATION = 100
BANDWIDTHS = (581.5, 1163.0, 2326.0, 4652.0, 9304.0)
PROGRAMS = ["pre_adipo", "adipo", "other"]


class ParticipantVisibleError(Exception):
    """The client knows this exception by its name and prints the message."""


def check(prediction_directory_path, data_directory_path):
    """Raise ParticipantVisibleError for the first rule that the prediction breaks."""
    predicted, asked = Path(prediction_directory_path), Path(data_directory_path)
    _demand_equal({path.name for path in predicted.iterdir()}, {PREDICTION_FILE, PROPORTIONS_FILE})
    _check_cells(
        anndata.read_h5ad(predicted / PREDICTION_FILE),
        anndata.read_h5ad(asked / "tf150_gtruth.h5ad"),
    )
    _check_proportions(
        pd.read_csv(predicted / PROPORTIONS_FILE),
        (asked / "predict_perturbations.txt").read_text().split(),
    )


def score(prediction_directory_path, data_directory_path, target_and_metrics):
    """Return the three metrics by their id."""
    predicted, hidden = Path(prediction_directory_path), Path(data_directory_path)
    truth = anndata.read_h5ad(hidden / "tf150_gtruth.h5ad")
    panel = truth.uns["scoring_gene_mask"]
    perturbed_centroid = truth.uns["perturbed_centroid_train"][panel]
    truth = truth[:, panel]
    prediction = anndata.read_h5ad(predicted / PREDICTION_FILE)[:, truth.var_names]

    pairs = [
        (
            _dense(prediction[prediction.obs["gene"] == name]),
            _dense(truth[truth.obs["gene"] == name]),
        )
        for name in truth.obs["gene"].unique()
    ]
    values = {
        "pearson-delta": np.mean([_pearson_delta(*pair, perturbed_centroid) for pair in pairs]),
        "mmd": np.mean([_mmd(*pair) for pair in pairs]),
        "l1-distance": _l1_distance(
            pd.read_csv(predicted / PROPORTIONS_FILE, index_col="gene"),
            pd.read_csv(hidden / "program_proportion_gtruth.csv", index_col="gene"),
        ),
    }
    return {
        metric.id: ScoredMetric(float(values[metric.name]))
        for _, metrics in target_and_metrics
        for metric in metrics
    }


def _check_cells(prediction, truth):
    missing = set(truth.var_names[truth.uns["scoring_gene_mask"]]) - set(prediction.var_names)
    _demand(not missing, f"{len(missing)} scored genes are not in var_names")
    _demand_equal(set(prediction.obs.columns), {"gene"})
    rows = prediction.obs["gene"].value_counts()
    _demand_equal(set(rows.index), set(truth.obs["gene"]))
    _demand((rows == CELLS_PER_PERTURBATION).all(), "a perturbation has not exactly 100 rows")


def _check_proportions(table, perturbations):
    _demand_equal(set(table.columns), {"gene", "lipo", *PROGRAMS})
    _demand(len(table) == len(perturbations), f"{len(table)} rows of proportions")
    _demand_equal(set(table["gene"]), set(perturbations))
    values = table[["lipo", *PROGRAMS]]
    _demand(all(pd.api.types.is_numeric_dtype(kind) for kind in values.dtypes), "not numbers")
    _demand(np.isfinite(values).all(axis=None), "a proportion is not finite")
    _demand((values["lipo"] <= values["adipo"]).all(), "lipo is above adipo")
    sums = values[PROGRAMS].sum(axis=1)
    _demand(np.isclose(sums, 1, rtol=0, atol=0.001).all(), "the programs do not sum to 1")


def _pearson_delta(predicted, true, perturbed_centroid):
    deltas = (cells.mean(axis=0) - perturbed_centroid for cells in (predicted, true))
    return np.corrcoef(*deltas)[0, 1]


def _mmd(predicted, true):
    n = min(len(predicted), len(true))
    predicted, true = predicted[:n], true[:n]
    return _kernel(true, true) + _kernel(predicted, predicted) - 2 * _kernel(true, predicted)


def _kernel(left, right):
    squares = [np.sum(cells**2, axis=1) for cells in (left, right)]
    distances = np.add.outer(*squares) - 2 * left @ right.T
    return sum(np.exp(-distances / bandwidth).mean() for bandwidth in BANDWIDTHS)


def _l1_distance(predicted, true):
    predicted = predicted.loc[true.index]
    programs = (predicted[PROGRAMS] - true[PROGRAMS]).abs().sum(axis=1)
    ratios = [table["lipo"] / (table["adipo"] + 1e-20) for table in (predicted, true)]
    return (0.75 * programs + 0.25 * (ratios[0] - ratios[1]).abs()).mean()


def _dense(cells):
    matrix = cells.X if isinstance(cells.X, np.ndarray) else cells.X.toarray()
    return matrix.astype(np.float64)


def _demand(condition, message):
    if not condition:
        raise ParticipantVisibleError(message)


def _demand_equal(found, expected):
    lacking, extra = sorted(expected - found), sorted(found - expected)
    _demand(not lacking + extra, f"missing {lacking[:5]}, not expected {extra[:5]}")
