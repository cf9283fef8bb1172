"""What a simulated competition's files hold beside the cells: obs, proportions, lists."""

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from perturbation.competition import (
    CONTROL_LABEL,
    GENES_FILE,
    PERTURBATIONS_FILE,
    PROGRAM_FLAGS,
)
from simulation.world import World

# Published figures at full size, as shares.
GENES_TO_PREDICT_SHARE = 10_238 / 21_592
SIGNATURE_SHARE = 888 / 21_592

GUIDES_PER_KNOCKOUT, CONTROL_GUIDES = 4, 113


def obs_of(
    rng: np.random.Generator, gene: np.ndarray, pools: np.ndarray, facts: pd.DataFrame
) -> pd.DataFrame:
    """Columns of the organisers' obs, in their order, of what `write_cells` returns."""
    n = len(gene)
    guides = rng.integers(np.where(gene == CONTROL_LABEL, CONTROL_GUIDES, GUIDES_PER_KNOCKOUT))
    guide_counts = 1 + rng.poisson(20, n)
    columns = {
        "nCount_RNA": facts["depth"],
        "nFeature_RNA": facts["n_genes"].astype(np.int32),
        "nCount_guide": guide_counts.astype(np.float64),
        "nFeature_guide": np.ones(n, np.int32),
        "percent.mt": rng.gamma(4, 0.6, n),
        "SampleID": [f"pool{i + 1}" for i in pools],
        "Day": "D14",
        "num_features": 1,
        "feature_call": [f"{name}-{i + 1}" for name, i in zip(gene, guides, strict=True)],
        "num_umis": guide_counts,
        "gene": gene,
    }
    return pd.DataFrame(columns).join(facts[list(PROGRAM_FLAGS)])


def write_frame(
    file: h5py.File, obs: pd.DataFrame, genes: np.ndarray, uns: dict[str, np.ndarray]
) -> None:
    """Write all that an h5ad file holds beside X and layers; strings of `obs` as categories."""
    strings = [name for name in obs if not pd.api.types.is_numeric_dtype(obs[name])]
    obs = obs.astype(dict.fromkeys(strings, "category")).rename(index="CELL{:07d}".format)
    file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    parts = {"obs": obs, "var": pd.DataFrame(index=genes), "uns": uns}
    for name in ("layers", "obsm", "obsp", "varm", "varp"):
        if name not in file:
            parts[name] = {}
    for name, part in parts.items():
        ad.io.write_elem(file, name, part)


def write_proportions(path: Path, gene: np.ndarray, facts: pd.DataFrame) -> None:
    """Write the observed share of cells in each program, by perturbation."""
    table = facts[list(PROGRAM_FLAGS)].groupby(gene).mean().rename_axis("gene")
    table.assign(lipo_adipo=(table["lipo"] / table["adipo"]).fillna(0)).to_csv(path)


def write_lists(path: Path, rng: np.random.Generator, world: World, targets: np.ndarray) -> None:
    """Write the three lists: perturbations, genes to predict (the most expressed), signatures."""
    n_genes = len(world.genes)
    chosen = np.argsort(-world.log_fraction)[: round(GENES_TO_PREDICT_SHARE * n_genes)]
    strongest = np.argsort(-world.loadings[: len(PROGRAM_FLAGS)], axis=1)
    of_each = max(1, round(SIGNATURE_SHARE * n_genes / len(PROGRAM_FLAGS)))
    signatures = [
        f"{gene},{program}"
        for program, genes in zip(PROGRAM_FLAGS, world.genes[strongest], strict=True)
        for gene in genes[:of_each]
    ]
    for name, lines in {
        GENES_FILE: world.genes[rng.permutation(chosen)],
        PERTURBATIONS_FILE: rng.permutation(targets),
        "signature_genes.csv": ["gene,program", *signatures],
    }.items():
        (path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
