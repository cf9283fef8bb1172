"""Each thing that the platform rejects gets a sentence, and nothing else does."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from evaluation.scoring.checks import check_method_description, check_prediction, unusable_values

PERTURBATIONS = ["SOX6", "CHD4"]
GENES = ["B", "A"]
METHOD = """# Method Description
One. Two. Three. Four. Five.
## Rationale
One. Two. Three. Four. Five.
# data and resources used
One. Two. Three. Four. Five.
"""


def table(**changes):
    columns = {
        "gene": PERTURBATIONS,
        "pre_adipo": [0.5, 0.4],
        "adipo": [0.3, 0.3],
        "lipo": [0.1, 0.3],
        "other": [0.2, 0.3],
    }
    return pd.DataFrame(columns | changes)


def prediction(labels=None, genes=("A", "B", "C")):
    labels = np.repeat(PERTURBATIONS, 100) if labels is None else labels
    obs = pd.DataFrame(
        {"gene": pd.Categorical(labels)}, index=[f"r{i}" for i in range(len(labels))]
    )
    values = np.ones((len(labels), len(genes)), dtype=np.float32)
    return ad.AnnData(values, obs=obs, var=pd.DataFrame(index=list(genes)))


@pytest.fixture
def directory(tmp_path):
    prediction().write_h5ad(tmp_path / "prediction.h5ad")
    table().to_csv(tmp_path / "predict_program_proportion.csv", index=False)
    return tmp_path


def faults(directory):
    return check_prediction(directory, PERTURBATIONS, GENES)


def only_fault(directory):
    (sentence,) = faults(directory)
    return sentence


def test_a_valid_prediction_has_no_faults(directory):
    assert faults(directory) == []
    assert unusable_values(directory) == []


def test_a_missing_directory_is_a_fault(tmp_path):
    assert "is not a directory" in only_fault(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["prediction.h5ad", "predict_program_proportion.csv"])
def test_a_missing_file_is_a_fault(directory, name):
    (directory / name).unlink()
    assert f"lacks {name}" in only_fault(directory)


def test_a_stray_file_is_a_fault(directory):
    (directory / "prediction_matrix.h5").touch()
    assert "prediction_matrix.h5" in only_fault(directory)


def test_a_broken_h5ad_is_a_fault(directory):
    (directory / "prediction.h5ad").write_bytes(b"not hdf5")
    assert "cannot be read (" in only_fault(directory)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.repeat(PERTURBATIONS, [100, 99])}, "there are 99 of CHD4"),
        ({"labels": np.repeat(PERTURBATIONS, [101, 100])}, "there are 101 of SOX6"),
        ({"labels": np.repeat([*PERTURBATIONS, "NC"], 100)}, "obs['gene']: may not hold NC"),
        ({"labels": np.repeat(["SOX6"], 100)}, "obs['gene']: lacks CHD4"),
        ({"genes": ("A", "C")}, "var_names lacks, of the scored genes, B"),
        ({"genes": ("A", "B", "B")}, "names 1 genes twice: B"),
    ],
)
def test_wrong_rows_and_columns_are_faults(directory, changes, words):
    prediction(**changes).write_h5ad(directory / "prediction.h5ad")
    assert words in only_fault(directory)


def test_other_obs_columns_are_a_fault(directory):
    changed = prediction()
    changed.obs["batch"] = 1
    changed.write_h5ad(directory / "prediction.h5ad")
    assert "obs: may not hold batch" in only_fault(directory)


def test_no_obs_column_is_a_fault(directory):
    changed = prediction()
    del changed.obs["gene"]
    changed.write_h5ad(directory / "prediction.h5ad")
    assert "has no column gene" in only_fault(directory)


def test_no_values_are_a_fault(directory):
    changed = prediction()
    del changed.X
    changed.write_h5ad(directory / "prediction.h5ad")
    assert "has no X" in only_fault(directory)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            table(lipo_adipo=[0.1, 0.2]),
            "header: may not hold lipo_adipo",
        ),
        (table().drop(columns="lipo"), "header: lacks lipo."),
        (table(pre_adipo=[0.5, np.nan]), "no finite number for CHD4"),
        (table(pre_adipo=[0.5, np.inf]), "no finite number for CHD4"),
        (table(lipo=["a", 0.1]), "no finite number for SOX6"),
        (table(lipo=[0.1, 0.3001]), "is larger than it for CHD4"),
        (table(other=[0.2, 0.3011]), "it is 1.0011 for CHD4"),
    ],
)
def test_wrong_proportions_are_faults(directory, changed, words):
    changed.to_csv(directory / "predict_program_proportion.csv", index=False)
    assert words in only_fault(directory)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["SOX6", "SOX6"], "a second row for SOX6"),
        (["SOX6", "NC"], "gene: may not hold NC"),
        (["SOX6", "NA"], "gene: lacks CHD4"),
    ],
)
def test_wrong_rows_of_proportions_are_faults(directory, names, words):
    table(gene=names).to_csv(directory / "predict_program_proportion.csv", index=False)
    assert any(words in sentence for sentence in faults(directory))


def test_a_row_too_many_is_a_fault(directory):
    file = directory / "predict_program_proportion.csv"
    pd.concat([table(), table().iloc[:1]]).to_csv(file, index=False)
    assert "a second row for SOX6" in only_fault(directory)


def test_columns_in_any_order_and_a_sum_within_tolerance_are_valid(directory):
    changed = table(other=[0.2009, 0.2991])[["other", "lipo", "gene", "adipo", "pre_adipo"]]
    changed.to_csv(directory / "predict_program_proportion.csv", index=False)
    assert faults(directory) == []


def test_an_empty_csv_is_a_fault(directory):
    (directory / "predict_program_proportion.csv").write_text("")
    assert "cannot be read as CSV" in only_fault(directory)


def test_values_that_ruin_the_score_are_told(directory):
    changed = prediction()
    changed.X[3, 1], changed.X[150, 2] = np.nan, -1
    changed.write_h5ad(directory / "prediction.h5ad")
    assert faults(directory) == []
    (sentence,) = unusable_values(directory)
    assert "2 values of X are NaN, infinite or negative" in sentence


def method_faults(directory, text, name="Method description.md"):
    (directory / name).write_text(text, newline="")
    return check_method_description(directory)


@pytest.mark.parametrize("text", [METHOD, METHOD.replace("\n", "\r\n"), METHOD.upper()])
def test_a_valid_method_description_has_no_faults(tmp_path, text):
    assert method_faults(tmp_path, text) == []


def test_the_method_may_have_a_name_in_any_case(tmp_path):
    assert method_faults(tmp_path, METHOD, "METHOD Description.md") == []


def test_the_method_needs_a_lower_case_extension(tmp_path):
    assert "must be .md" in method_faults(tmp_path, METHOD, "Method description.MD")[0]


def test_a_missing_method_is_a_fault(tmp_path):
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "Method description.md").write_text(METHOD)
    assert "is missing" in check_method_description(tmp_path)[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (METHOD.replace("# Rationale", "# Rationale "), "there are 0 of `Rationale`"),
        (METHOD.replace("# Rationale", "# **Rationale**"), "there are 0 of `Rationale`"),
        (METHOD.replace("# Rationale", "# Rationale #"), "there are 0 of `Rationale`"),
        (METHOD.replace("## Rationale", "Rationale"), "there are 0 of `Rationale`"),
        (METHOD + "# rationale\n", "there are 2 of `Rationale`"),
        (METHOD.replace("Five.", "Fünf.", 1), "stand in line 2"),
        (
            "<!-- one; two; three; -->\n" + METHOD.replace("One. Two. Three. Four.", ""),
            "it has 6.",
        ),
        (METHOD + "a" * 4 * 1024 * 1024, "4,194,304 bytes are the limit"),
    ],
)
def test_a_method_the_platform_rejects_is_a_fault(tmp_path, text, words):
    sentences = method_faults(tmp_path, text)
    assert any(words in sentence for sentence in sentences)
    assert len(sentences) == 1
