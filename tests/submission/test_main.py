from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import main
from evaluation.reading import read_names
from perturbation.competition import TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import summarise
from perturbation.errors import InputError
from perturbation.model.gene_features import load_gene_features
from perturbation.output.model_file import load_model


def predicted_means(directory):
    adata = ad.read_h5ad(directory / "prediction.h5ad")
    names = adata.obs["gene"].astype(str).to_numpy()
    return adata.to_df().astype(np.float64).groupby(names).mean()


def asked(competition):
    return (
        read_names(competition / "predict_perturbations.txt"),
        read_names(competition / "genes_to_predict.txt"),
    )


def test_rows_and_columns_follow_what_is_asked(competition, infer):
    perturbations, genes = asked(competition)
    adata = ad.read_h5ad(infer(perturbations, genes) / "prediction.h5ad")
    assert list(adata.var_names) == genes
    assert adata.obs["gene"].tolist() == list(np.repeat(perturbations, 100))


def test_any_subset_and_order_of_genes_gives_the_same_values(competition, infer, tmp_path):
    perturbations, genes = asked(competition)
    whole = predicted_means(infer(perturbations, genes))
    some = predicted_means(infer(perturbations, genes[5::-2], out=tmp_path / "some"))
    pd.testing.assert_frame_equal(some, whole[genes[5::-2]])


def test_all_genes_of_the_training_file_can_be_asked_for(competition, infer):
    genes = list(ad.read_h5ad(competition / TRAINING_FILE, backed="r").var_names)
    assert list(predicted_means(infer(["NOT_A_GENE"], genes)).columns) == genes


def test_the_written_mean_is_the_predicted_centroid(competition, infer, model_directory):
    perturbations, genes = asked(competition)
    written = predicted_means(infer(perturbations, genes)).loc[perturbations]
    model = load_model(model_directory)
    features = load_gene_features(model_directory / "gene_features.npz")
    predictor = main.shipped_predictor().fit(model.training, features)
    predicted = predictor.predict(perturbations)[:, model.columns_of(genes)]
    np.testing.assert_allclose(written, predicted, atol=1e-5)


def test_a_measured_perturbation_gets_its_own_centroid(infer, model_directory):
    model = load_model(model_directory)
    name = model.training.perturbation_centroids.index[0]
    written = predicted_means(infer([name, "NEW"], model.training.genes.tolist())).loc[name]
    np.testing.assert_allclose(written, model.training.perturbation_centroids.loc[name], atol=1e-5)


def test_every_row_is_a_base_cell_moved_gene_by_gene(infer, model_directory):
    """Values above zero differ from the chosen cells by one number a gene."""
    model = load_model(model_directory)
    x = ad.read_h5ad(infer(["NEW"], model.training.genes.tolist()) / "prediction.h5ad").X
    shift = x - model.base_cells
    largest = np.max(shift, axis=0, where=x > 0, initial=-99)
    smallest = np.min(shift, axis=0, where=x > 0, initial=99)
    assert (largest - smallest).max() < 1e-5
    assert (largest > -99).any()


def test_predictions_are_made_of_perturbed_cells_alone(competition, model_directory):
    summary = summarise(open_dataset(competition))
    knocked_out = np.flatnonzero(summary.cell_labels != "NC")
    without_controls = replace(
        summary, cells=summary.cells[knocked_out], cell_labels=summary.cell_labels[knocked_out]
    )
    found = main.fit(without_controls, None).base_cells
    assert load_model(model_directory).base_cells.shape == found.shape
    perturbed = without_controls.cells.toarray()
    assert found.max() <= perturbed.max() + 1
    assert (found[:, ~perturbed.any(axis=0)] == 0).all()


def test_infer_runs_twice_to_the_same_bytes(competition, infer, tmp_path):
    one, two = (infer(*asked(competition), out=tmp_path / name) for name in ("one", "two"))
    for name in ("prediction.h5ad", "predict_program_proportion.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_train_runs_twice_to_the_same_bytes(competition, model_directory, tmp_path):
    main.train(str(competition), str(tmp_path))
    model = "model.npz"
    assert (tmp_path / model).read_bytes() == (model_directory / model).read_bytes()


def test_infer_needs_resources_alone(competition_copy, infer):
    perturbations, genes = asked(competition_copy)
    for path in competition_copy.iterdir():
        path.unlink()
    infer(perturbations, genes)


@pytest.mark.parametrize(
    ("perturbations", "genes", "message"),
    [
        (["NEW", "NEW"], None, "predict_perturbations names 1 genes twice: NEW"),
        (["NEW"], ["GENE00001", "GENE00001"], "genes_to_predict names 1 genes twice"),
        (["NEW"], ["ACTB"], "1 of 1 genes_to_predict are not in model.npz"),
        ([], None, "predict_perturbations is empty"),
        (["NEW"], [], "genes_to_predict is empty"),
        (None, None, "predict_perturbations must be a list of gene names"),
        (["NEW", float("nan")], None, "must hold gene names as text"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    competition, infer, tmp_path, perturbations, genes, message
):
    genes = asked(competition)[1] if genes is None else genes
    with pytest.raises(InputError, match=message):
        infer(perturbations, genes)
    assert not list((tmp_path / "prediction").iterdir())
