"""Writes real cells of any screen in the competition's file names and layout."""

from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from perturbation.competition import (
    CONTROL_LABEL,
    GENES_FILE,
    LOCAL_PROPORTIONS_FILE,
    LOCAL_TRUTH_FILE,
    PERTURBATIONS_FILE,
    PROGRAM_FLAGS,
    PROPORTIONS_FILE,
    TRAINING_FILE,
)

SHARE_OF_GENES_ASKED = 0.9


def log_per_100k(counts: np.ndarray) -> np.ndarray:
    """log2(1 + counts per 100,000), (n_cells, n_genes) float64; a cell without counts stays 0."""
    totals = np.maximum(counts.sum(axis=1, keepdims=True, dtype=np.float64), 1)
    return np.log2(1 + counts / totals * 1e5)


def assign_programs(x: np.ndarray, is_control: np.ndarray) -> pd.DataFrame:
    """0/1 flags by a cell's place along the first two principal components of the controls.

    Other cells are not fat cells: the names only fill the layout. The cuts give the controls the
    competition's control proportions, 0.366, 0.258 and 0.376; lipo are the upper 27 percent of
    adipo along the second component. Components point to where their weights sum to more than 0.
    """
    mean = x[is_control].mean(axis=0)
    components = np.linalg.svd(x[is_control] - mean, full_matrices=False)[2][:2]
    components *= np.where(components.sum(axis=1, keepdims=True) < 0, -1, 1)
    first, second = ((x - mean) @ components.T).T
    low, high = np.quantile(first[is_control], [0.366, 0.366 + 0.376])
    flags = pd.DataFrame({"pre_adipo": first <= low, "adipo": first > high})
    flags["other"] = ~(flags["pre_adipo"] | flags["adipo"])
    adipo_controls = is_control & flags["adipo"].to_numpy()
    flags["lipo"] = flags["adipo"] & (second > np.quantile(second[adipo_controls], 0.73))
    return flags[list(PROGRAM_FLAGS)].astype(np.int64)


def write_competition(
    out: Path,
    counts: np.ndarray,
    x: np.ndarray,
    obs: pd.DataFrame,
    genes: pd.Index,
    held_out: Sequence[str],
    targets: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """Write the seven files of the competition into `out`.

    Parameters
    ----------
    out
        Directory; made if it is missing.
    counts, x
        (n_cells, n_genes) raw counts, and the log2(1 + counts per 100,000) made of them.
    obs
        Columns gene (the knock-out, "NC" for controls), the four flags, and any others.
    genes
        (n_genes,) names.
    held_out
        Knock-outs of the local ground truth.
    targets
        Names for predict_perturbations.txt.
    rng
        Shuffles genes_to_predict.txt, which leaves out a tenth of the genes.
    """
    out.mkdir(parents=True, exist_ok=True)
    is_truth = obs["gene"].isin(held_out).to_numpy()
    var = pd.DataFrame(index=genes)
    trained_on = obs[~is_truth].reset_index(drop=True)
    _write_training(out, counts[~is_truth], x[~is_truth], trained_on, var)
    _write_truth(out, x, obs, is_truth, var)
    asked = rng.permutation(genes)[: int(SHARE_OF_GENES_ASKED * len(genes))]
    for name, lines in ((GENES_FILE, asked), (PERTURBATIONS_FILE, targets)):
        (out / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "signature_genes.csv").write_text("gene,program\n", encoding="utf-8")


def _write_training(
    out: Path, counts: np.ndarray, x: np.ndarray, obs: pd.DataFrame, var: pd.DataFrame
) -> None:
    _proportions(obs).to_csv(out / PROPORTIONS_FILE, index=False)
    obs = obs.assign(gene=pd.Categorical(obs["gene"])).rename(index=lambda row: f"cell{row}")
    layers = {"counts": sparse.csr_matrix(counts)}
    ad.AnnData(sparse.csr_matrix(x), obs=obs, var=var, layers=layers).write_h5ad(
        out / TRAINING_FILE, compression="gzip", compression_opts=9
    )


def _write_truth(
    out: Path, x: np.ndarray, obs: pd.DataFrame, is_truth: np.ndarray, var: pd.DataFrame
) -> None:
    _proportions(obs[is_truth]).to_csv(out / LOCAL_PROPORTIONS_FILE, index=False)
    is_control = (obs["gene"] == CONTROL_LABEL).to_numpy()
    truth = pd.DataFrame({"gene": pd.Categorical(obs["gene"][is_truth])})
    truth.index = [f"truth{row}" for row in range(len(truth))]
    centroids = {
        "control_centroid_train": x[is_control].mean(axis=0),
        "perturbed_centroid_train": x[~is_truth & ~is_control].mean(axis=0),
    }
    ad.AnnData(x[is_truth], obs=truth, var=var, uns=centroids).write_h5ad(
        out / LOCAL_TRUTH_FILE, compression="gzip", compression_opts=9
    )


def _proportions(obs: pd.DataFrame) -> pd.DataFrame:
    table = obs.groupby("gene")[list(PROGRAM_FLAGS)].mean()
    return table.assign(lipo_adipo=table["lipo"] / table["adipo"]).reset_index()
