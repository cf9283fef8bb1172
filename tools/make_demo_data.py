"""Puts the real cells of RENGE into the competition's file names and layout: data/demo.

    pip download renge==0.0.5 --no-deps --no-binary :all: && tar xzf renge-0.0.5.tar.gz
    python -m tools.make_demo_data renge-0.0.5/examples/data data/demo

The cells are human stem cells with one of 23 genes knocked out (Ishikawa et al. 2023, RENGE infers
gene regulatory networks using time-series single-cell RNA-seq data with CRISPR perturbations,
Communications Biology); the package that carries them is under the MIT licence.
"""

import argparse
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

CELLS_PER_KNOCKOUT = 350
CONTROL_CELLS = 800
N_HELD_OUT = 5
SHARE_OF_GENES_ASKED = 0.9


def main(renge: Path, out: Path, rng: np.random.Generator) -> None:
    """Write the seven files of the competition into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    cells = _sample(read_renge(renge), rng)
    x = log_per_100k(cells.X)
    genes = pd.DataFrame(index=cells.var_names)
    obs = pd.DataFrame({"gene": cells.obs["gene"].astype(str).to_numpy()})
    obs = obs.join(assign_programs(x, (obs["gene"] == CONTROL_LABEL).to_numpy()))
    knockouts = sorted(set(obs["gene"]) - {CONTROL_LABEL})
    held_out = obs["gene"].isin(rng.choice(knockouts, N_HELD_OUT, replace=False)).to_numpy()
    _write_training(out, x[~held_out], obs[~held_out].reset_index(drop=True), genes)
    _write_truth(out, x, obs, held_out, genes)
    asked = rng.permutation(cells.var_names)[: int(SHARE_OF_GENES_ASKED * cells.n_vars)]
    _write_lines(out / GENES_FILE, asked)
    _write_lines(out / PERTURBATIONS_FILE, sorted(set(cells.var_names) - set(knockouts)))
    signature = pd.DataFrame({"gene": [], "program": []})
    signature.to_csv(out / "signature_genes.csv", index=False)


def read_renge(folder: Path) -> ad.AnnData:
    """Raw counts (14,945 cells, 103 genes), and in obs['gene'] the knock-out or "NC".

    The package keeps ln(1 + counts), and a 0/1 column for each gene that may be knocked out.
    """
    counts = np.round(np.expm1(pd.read_csv(folder / "E_renge_d2_80.csv", index_col=0)))
    knocked_out = pd.read_csv(folder / "X_renge_d2_80.csv", index_col=0).drop(columns="t")
    label = knocked_out.idxmax(axis=1).where(knocked_out.any(axis=1), CONTROL_LABEL)
    return ad.AnnData(counts, obs=label.to_frame("gene"))


def log_per_100k(counts: np.ndarray) -> np.ndarray:
    """log2(1 + counts per 100,000), (n_cells, n_genes) float64."""
    return np.log2(1 + counts / counts.sum(axis=1, keepdims=True, dtype=np.float64) * 1e5)


def assign_programs(x: np.ndarray, is_control: np.ndarray) -> pd.DataFrame:
    """0/1 flags by a cell's place along the first two principal components of the controls.

    The cells are stem cells, not fat cells: the names only fill the layout. The cuts give the
    controls the competition's control proportions, 0.366, 0.258 and 0.376; lipo are the upper 27
    percent of adipo along the second component. Components point to where X's mean is larger.
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


def _sample(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """At most so many cells of each label, in random order: the file's own order is by day."""
    order = rng.permutation(cells.n_obs)
    labels = cells.obs["gene"].astype(str).to_numpy()[order]
    rank = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    most = np.where(labels == CONTROL_LABEL, CONTROL_CELLS, CELLS_PER_KNOCKOUT)
    return cells[order[rank < most]].copy()


def _write_training(out: Path, x: np.ndarray, obs: pd.DataFrame, genes: pd.DataFrame) -> None:
    _proportions(obs).to_csv(out / PROPORTIONS_FILE, index=False)
    obs = obs.assign(gene=pd.Categorical(obs["gene"])).rename(index=lambda row: f"cell{row}")
    ad.AnnData(sparse.csr_matrix(x), obs=obs, var=genes).write_h5ad(
        out / TRAINING_FILE, compression="gzip", compression_opts=9
    )


def _write_truth(
    out: Path, x: np.ndarray, obs: pd.DataFrame, held_out: np.ndarray, genes: pd.DataFrame
) -> None:
    _proportions(obs[held_out]).to_csv(out / LOCAL_PROPORTIONS_FILE, index=False)
    is_control = (obs["gene"] == CONTROL_LABEL).to_numpy()
    truth = pd.DataFrame({"gene": pd.Categorical(obs["gene"][held_out])})
    truth.index = [f"truth{row}" for row in range(len(truth))]
    centroids = {
        "control_centroid_train": x[is_control].mean(axis=0),
        "perturbed_centroid_train": x[~held_out & ~is_control].mean(axis=0),
    }
    ad.AnnData(x[held_out], obs=truth, var=genes, uns=centroids).write_h5ad(
        out / LOCAL_TRUTH_FILE, compression="gzip", compression_opts=9
    )


def _proportions(obs: pd.DataFrame) -> pd.DataFrame:
    table = obs.groupby("gene")[list(PROGRAM_FLAGS)].mean()
    return table.assign(lipo_adipo=table["lipo"] / table["adipo"]).reset_index()


def _write_lines(path: Path, names: pd.Index | list[str]) -> None:
    path.write_text("\n".join(names) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "renge", type=Path, help="folder with E_renge_d2_80.csv and X_renge_d2_80.csv"
    )
    parser.add_argument("out", type=Path)
    main(**vars(parser.parse_args()), rng=np.random.default_rng(0))
