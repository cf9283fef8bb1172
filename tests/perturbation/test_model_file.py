import numpy as np
import pandas as pd
import pytest

from perturbation.errors import InputError
from perturbation.output.model_file import MODEL_FILE, load_model, save_model


@pytest.fixture
def arrays(model_directory):
    with np.load(model_directory / MODEL_FILE, allow_pickle=False) as file:
        return dict(file)


def test_a_model_comes_back_as_it_was_saved(model_directory, tmp_path):
    model = load_model(model_directory)
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    np.testing.assert_array_equal(again.genes, model.genes)
    pd.testing.assert_frame_equal(again.centroids, model.centroids)
    pd.testing.assert_series_equal(again.n_cells, model.n_cells)
    np.testing.assert_array_equal(again.control_centroid, model.control_centroid)
    np.testing.assert_array_equal(again.base_cells, model.base_cells)
    pd.testing.assert_frame_equal(again.proportions, model.proportions)
    assert again.trained_on == model.trained_on == "400 cells x 60 genes, 12 perturbations"
    assert (tmp_path / MODEL_FILE).read_bytes() == (model_directory / MODEL_FILE).read_bytes()


def test_an_untrained_clone_is_told_to_train(tmp_path):
    with pytest.raises(InputError, match=r"no model was trained yet\. Run train\(\) first"):
        load_model(tmp_path)


def test_genes_of_another_data_size_are_named(model_directory):
    model = load_model(model_directory)
    asked = [*model.genes[:3], "ACTB", "GAPDH", "TBP"]
    with pytest.raises(InputError, match=r"3 of 6 genes_to_predict .* first: ACTB, GAPDH"):
        model.columns_of(asked)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("format_version", np.array(0), "format version 0, this code reads 1"),
        ("centroids", None, "no array centroids"),
        ("control_centroid", np.zeros(3), r"control_centroid is \(3,\), expected \(60,\)"),
        ("base_cells", np.full((100, 60), np.nan), "base_cells holds NaN"),
        ("genes", np.arange(60), "genes holds int64, expected text"),
        ("proportion_labels", np.array([f"X{i}" for i in range(13)]), "of other knock-outs"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(arrays, tmp_path, name, value, message):
    arrays.pop(name)
    if value is not None:
        arrays[name] = value
    np.savez(tmp_path / MODEL_FILE, **arrays)
    with pytest.raises(InputError, match=message):
        load_model(tmp_path)


def test_a_truncated_model_is_refused(model_directory, tmp_path):
    whole = (model_directory / MODEL_FILE).read_bytes()
    (tmp_path / MODEL_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"model\.npz cannot be read"):
        load_model(tmp_path)
