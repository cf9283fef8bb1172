"""Facts that hold for any input: columns, models, lists of names, matrices in blocks."""

import dataclasses
import tempfile
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import main
from evaluation.reading import read_names
from perturbation.competition import CELLS_PER_PERTURBATION, CONTROL_LABEL, PROGRAM_FLAGS
from perturbation.data.matrix import read_blocks
from perturbation.data.summary import TrainingCentroids
from perturbation.model.gene_features import load_gene_features
from perturbation.output.model_file import MODEL_FILE, Model, load_model, save_model

NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
LISTS_OF_NAMES = st.lists(NAMES, min_size=1, max_size=8, unique=True)


@pytest.fixture(scope="module")
def predict(model_directory):
    """Call infer() for one new and one measured perturbation; return the cells and their genes."""
    measured = load_model(model_directory).training.perturbation_centroids.index[0]
    features = load_gene_features(model_directory / "gene_features.npz")

    def call(genes):
        with tempfile.TemporaryDirectory() as out:
            h5ad, csv = Path(out, "p.h5ad"), Path(out, "p.csv")
            main.infer(None, None, h5ad, csv, model_directory, ["NEW", measured], genes)
            return ad.read_h5ad(h5ad)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "load_gene_features", lambda _: features)  # read once, not each time
        yield call


@pytest.fixture(scope="module")
def all_columns(predict, model_directory):
    return predict(load_model(model_directory).training.genes.tolist())


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_columns_follow_any_genes_in_any_order(predict, all_columns, data):
    order = data.draw(st.permutations(list(all_columns.var_names)))
    genes = order[: data.draw(st.integers(1, len(order)))]
    some = predict(genes)
    assert list(some.var_names) == genes
    np.testing.assert_array_equal(some.X, all_columns[:, genes].X)


@st.composite
def models(draw):
    genes = draw(LISTS_OF_NAMES)
    perturbations = draw(LISTS_OF_NAMES.filter(lambda names: CONTROL_LABEL not in names))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = [*perturbations, CONTROL_LABEL]
    shares = rng.dirichlet(np.ones(3), len(labels))
    shares = np.column_stack([shares, shares[:, 1] * rng.random(len(labels))])
    scale = draw(st.sampled_from([0.0, 1e-300, 1.0, 16.6]))
    flags, rows = list(PROGRAM_FLAGS), scale * rng.random((len(perturbations) + 5, len(genes)))
    training = TrainingCentroids(
        genes=np.array(genes),
        perturbation_centroids=pd.DataFrame(rows[5:], perturbations, genes),
        n_cells=pd.Series(rng.integers(1, 2**40, len(perturbations)), perturbations),
        control_centroid=rows[0],
        n_control_cells=int(rng.integers(1, 2**40)),
        program_centroids=pd.DataFrame(rows[1:5], flags, genes),
        proportions=pd.DataFrame(shares, labels, flags),
    )
    base_cells = (scale * rng.random((CELLS_PER_PERTURBATION, len(genes)))).astype(np.float32)
    return Model(training, base_cells, {"own": rng.random(3)})


@settings(max_examples=50, deadline=None)
@given(models())
def test_any_model_comes_back_as_it_was_saved(model):
    with tempfile.TemporaryDirectory() as directory:
        save_model(model, directory)
        first = Path(directory, MODEL_FILE).read_bytes()
        again = load_model(directory)
        save_model(again, directory)
        assert Path(directory, MODEL_FILE).read_bytes() == first
    np.testing.assert_array_equal(again.base_cells, model.base_cells)
    np.testing.assert_array_equal(again.kept["own"], model.kept["own"])
    for field in dataclasses.fields(TrainingCentroids):
        ours, theirs = (getattr(m.training, field.name) for m in (model, again))
        assert np.array_equal(ours, theirs), field.name


@settings(max_examples=100, deadline=None)
@given(
    LISTS_OF_NAMES.filter(lambda names: not set("".join(names)) & set(",;")),
    st.sampled_from(["\n", "\r\n", "\n\n", " \r\n", "\n\t"]),
    st.booleans(),
    st.booleans(),
)
def test_any_list_of_names_is_read_back(names, line_break, has_mark, ends_with_break):
    text = line_break.join(names) + ends_with_break * line_break
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "names.txt")
        path.write_bytes(text.encode("utf-8-sig" if has_mark else "utf-8"))
        assert read_names(path) == names


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 20)),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    layout=st.sampled_from(["csr", "csc", "dense"]),
    dtype=st.sampled_from(["f2", "f4", "f8", ">f8", "i4", "u1"]),
    cells_per_block=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
def test_any_matrix_is_read_whole_in_any_blocks(
    shape, density, layout, dtype, cells_per_block, seed
):
    rng = np.random.default_rng(seed)
    stored = (16 * rng.random(shape) * (rng.random(shape) < density)).astype(dtype)
    values = stored.astype(np.float64)
    found = np.full(shape, np.nan)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.h5ad")
        with h5py.File(path, "w") as file:
            write_x(file, values, layout)
            name = "X" if layout == "dense" else "X/data"
            file[f"{name} of another type"] = file[name][...].astype(dtype)
            del file[name]
            file.move(f"{name} of another type", name)
        for rows, columns, block in read_blocks(path, cells_per_block, any_values=not values.any()):
            assert np.isnan(found[rows, columns]).all()  # nothing is read twice
            found[rows, columns] = block.toarray()
    np.testing.assert_array_equal(found, values)


def write_x(file, values, layout):
    matrix = values if layout == "dense" else sparse.csr_matrix(values).asformat(layout)
    ad.io.write_elem(file, "X", matrix)
