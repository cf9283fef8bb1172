import dataclasses

import numpy as np
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
    for field in dataclasses.fields(model.training):
        ours, theirs = (getattr(m.training, field.name) for m in (model, again))
        assert np.array_equal(ours, theirs), field.name
    np.testing.assert_array_equal(again.base_cells, model.base_cells)
    assert again.training.description == "400 cells x 60 genes, 12 perturbations"
    assert (tmp_path / MODEL_FILE).read_bytes() == (model_directory / MODEL_FILE).read_bytes()


def test_arrays_of_the_users_own_come_back(model_directory, tmp_path):
    model = load_model(model_directory)
    own = {"weights": np.arange(6.0).reshape(2, 3), "names": np.array(["A", "B"])}
    save_model(dataclasses.replace(model, kept=own), tmp_path)
    again = load_model(tmp_path).kept
    assert list(again) == list(own)
    assert all(np.array_equal(again[name], own[name]) for name in own)


def test_an_array_that_needs_a_pickle_is_refused(model_directory, tmp_path):
    model = load_model(model_directory)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        save_model(dataclasses.replace(model, kept={"things": np.array([{}])}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_untrained_clone_is_told_to_train(tmp_path):
    with pytest.raises(InputError, match=r"no model was trained yet\. Run train\(\) first"):
        load_model(tmp_path)


def test_genes_of_another_data_size_are_named(model_directory):
    model = load_model(model_directory)
    asked = [*model.training.genes[:3], "ACTB", "GAPDH", "TBP"]
    with pytest.raises(InputError, match=r"3 of 6 genes_to_predict .* first: ACTB, GAPDH"):
        model.columns_of(asked)


def test_a_model_of_another_version_is_refused(arrays, tmp_path):
    np.savez(tmp_path / MODEL_FILE, **(arrays | {"format_version": np.array(1)}))
    with pytest.raises(InputError, match="format version 1, this code reads 3"):
        load_model(tmp_path)


def test_a_truncated_model_is_refused(model_directory, tmp_path):
    whole = (model_directory / MODEL_FILE).read_bytes()
    (tmp_path / MODEL_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"model\.npz cannot be read"):
        load_model(tmp_path)
