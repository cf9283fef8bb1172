import anndata as ad
import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, PROGRAMS
from tests.conftest import DEMO
from tools.competition_layout import log_per_100k


def test_log_per_100k_by_hand():
    np.testing.assert_allclose(log_per_100k(np.array([[1.0, 3.0]])), np.log2([[25001, 75001]]))


def test_the_demo_has_the_competitions_layout_and_is_small():
    training = ad.read_h5ad(DEMO / "obesity_challenge_1.h5ad")
    truth = ad.read_h5ad(DEMO / "obesity_challenge_1_local_gtruth.h5ad")
    proportions = pd.read_csv(DEMO / "program_proportion.csv")
    genes = (DEMO / "genes_to_predict.txt").read_text().split()
    assert training.X.dtype == np.float64
    assert set(proportions["gene"]) == set(training.obs["gene"])
    assert CONTROL_LABEL in set(training.obs["gene"])
    counts = training.layers["counts"].toarray()
    np.testing.assert_allclose(log_per_100k(counts), training.X.toarray(), rtol=1e-14)
    np.testing.assert_array_equal(counts.sum(axis=1), training.obs["nCount_RNA"])
    np.testing.assert_array_equal((counts > 0).sum(axis=1), training.obs["nFeature_RNA"])
    assert set(training.obs["SampleID"]) == {"day2", "day3", "day4", "day5"}
    assert not set(truth.obs["gene"]) & set(training.obs["gene"])
    assert set(genes) < set(training.var_names)
    assert genes != [gene for gene in training.var_names if gene in genes]
    np.testing.assert_allclose(proportions[list(PROGRAMS)].sum(axis=1), 1)
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 5e6
