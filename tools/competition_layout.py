"""Writes real cells of any screen in the competition's file names and layout."""

from collections.abc import Iterable, Sequence
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
    cells: ad.AnnData,
    held_out: Sequence[str],
    targets: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """Write the seven files of the competition into `out`.

    Parameters
    ----------
    out
        Directory; made if it is missing.
    cells
        Raw counts, dense; obs["gene"] is the knock-out, "NC" for controls. Other columns of obs
        are kept.
    held_out
        Knock-outs of the local ground truth.
    targets
        Names for predict_perturbations.txt.
    rng
        Shuffles genes_to_predict.txt, which leaves out a tenth of the genes.
    """
    out.mkdir(parents=True, exist_ok=True)
    x, is_control = log_per_100k(cells.X), (cells.obs["gene"] == CONTROL_LABEL).to_numpy()
    obs = cells.obs.reset_index(drop=True).join(assign_programs(x, is_control))
    is_truth, var = obs["gene"].isin(held_out).to_numpy(), cells.var
    layers = {"counts": sparse.csr_matrix(cells.X[~is_truth])}
    centroids = {
        "control_centroid_train": x[is_control].mean(axis=0),
        "perturbed_centroid_train": x[~is_truth & ~is_control].mean(axis=0),
    }
    training, truth = _numbered(obs[~is_truth], "cell"), _numbered(obs[is_truth], "truth")
    for name, adata in (
        (TRAINING_FILE, ad.AnnData(sparse.csr_matrix(x[~is_truth]), training, var, layers=layers)),
        (LOCAL_TRUTH_FILE, ad.AnnData(x[is_truth], truth[["gene"]], var, uns=centroids)),
    ):
        adata.write_h5ad(out / name, compression="gzip", compression_opts=9)
    write_proportions(out / PROPORTIONS_FILE, training["gene"].to_numpy(), training)
    write_proportions(out / LOCAL_PROPORTIONS_FILE, truth["gene"].to_numpy(), truth)
    asked = rng.permutation(cells.var_names)[: int(SHARE_OF_GENES_ASKED * cells.n_vars)]
    write_lists(out, asked, targets)


def write_proportions(path: Path, labels: np.ndarray, flags: pd.DataFrame) -> None:
    """Write the share of cells in each program, by label."""
    table = flags[list(PROGRAM_FLAGS)].groupby(labels).mean().rename_axis("gene")
    table.assign(lipo_adipo=(table["lipo"] / table["adipo"]).fillna(0)).to_csv(path)


def write_lists(out: Path, genes: Iterable[str], targets: Iterable[str]) -> None:
    """Write the genes to predict, the targets, and signatures, of which none is known."""
    for name, lines in ((GENES_FILE, genes), (PERTURBATIONS_FILE, targets)):
        (out / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "signature_genes.csv").write_text("gene,program\n", encoding="utf-8")


def _numbered(obs: pd.DataFrame, what: str) -> pd.DataFrame:
    """Name the cells by their number."""
    names = [f"{what}{number}" for number in range(len(obs))]
    return obs.assign(gene=pd.Categorical(obs["gene"])).set_axis(names)
