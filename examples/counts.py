"""Effects within pools, from raw counts: reads layers['counts'], SampleID and QC in blocks.

cp examples/counts.py main.py && python local_test.py --cv 5 --whole
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import CONTROL_LABEL, TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.model.cells import cells_at, choose_cells
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.model.predictors import Blend, OwnTranscript
from perturbation.model.programs import predict_proportions
from perturbation.output.model_file import Model, load_model, save_model
from perturbation.output.prediction_file import write_prediction

CELLS_PER_BLOCK, FEWEST_GENES = 512, 0.01  # this quantile of nFeature_RNA, at least


def group_means(path: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Mean log2(1 + counts per 1e5) of every (knock-out, pool), cells of few genes left out."""
    with h5py.File(path) as file:
        obs, genes = ad.io.read_elem(file["obs"]), ad.io.read_elem(file["var"]).index
        counts = ad.io.sparse_dataset(file["layers/counts"])
        good = (obs["nFeature_RNA"] >= obs["nFeature_RNA"].quantile(FEWEST_GENES)).to_numpy()
        codes, names = pd.MultiIndex.from_frame(obs[["gene", "SampleID"]].astype(str)).factorize()
        depth = obs["nCount_RNA"].to_numpy(np.float64)
        n, sums = np.bincount(codes[good], minlength=len(names)), np.zeros((len(names), len(genes)))
        for start in range(0, len(obs), CELLS_PER_BLOCK):
            part = slice(start, start + CELLS_PER_BLOCK)
            block = sparse.diags_array(1e5 / np.maximum(depth[part], 1)) @ counts[part]
            block.data = np.log2(1 + block.data)
            member = sparse.coo_array((good[part], (codes[part], range(len(codes[part])))))
            sums[: member.shape[0]] += (member.astype(float) @ block).toarray()
    table = pd.DataFrame(sums / np.maximum(n, 1)[:, None], names, genes)
    return table[n > 0], pd.Series(n, names)[n > 0]


def train(data_directory_path: str, model_directory_path: str) -> None:
    """Hold every knock-out against the controls of its own pools; the rest is as shipped."""
    summary = summarise(open_dataset(data_directory_path))
    means, n = group_means(Path(data_directory_path, TRAINING_FILE))
    controls = means.xs(CONTROL_LABEL).reindex(means.index.get_level_values(1))
    effects = (means - controls.to_numpy()).dropna().drop(index=CONTROL_LABEL, level=0)
    per_label = n[effects.index].groupby(level=0).sum()
    effects = effects.mul(n[effects.index], axis=0).groupby(level=0).sum().div(per_label, axis=0)
    effects -= np.average(effects, axis=0, weights=per_label)  # the mean of all stays where it is
    training, measured = summary.training, summary.training.perturbation_centroids
    within = (effects + training.perturbed_centroid).clip(lower=0).reindex_like(measured)
    training = replace(training, perturbation_centroids=within.fillna(measured))
    save_model(Model(training, choose_cells(summary)), model_directory_path)


def infer(
    prediction_h5ad_file_path: str,
    program_proportion_csv_file_path: str,
    model_directory_path: str,
    predict_perturbations: Sequence[str],
    genes_to_predict: Sequence[str],
) -> None:
    """Predict as the shipped submission does, from the other centroids."""
    model = load_model(model_directory_path)
    features = load_gene_features(Path(model_directory_path) / GENE_FEATURES_FILE)
    columns = model.columns_of(genes_to_predict)
    predictor = OwnTranscript(Blend()).fit(model.training, features)
    centroids = predictor.predict(predict_perturbations)[:, columns]
    cells = cells_at(model.base_cells[:, columns], centroids)
    shares = predict_proportions(model.training, features, predictor, predict_perturbations)
    paths = prediction_h5ad_file_path, program_proportion_csv_file_path
    write_prediction(*paths, cells, genes_to_predict, shares)
