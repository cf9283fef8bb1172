"""Puts the real cells of RENGE into the competition's file names and layout: data/demo.

    pip download renge==0.0.5 --no-deps --no-binary :all: && tar xzf renge-0.0.5.tar.gz
    python -m tools.make_demo renge-0.0.5/examples/data data/demo

The cells are human stem cells with one of 23 genes knocked out (Ishikawa et al. 2023, RENGE infers
gene regulatory networks using time-series single-cell RNA-seq data with CRISPR perturbations,
Communications Biology); the package that carries them is under the MIT licence.
"""

import argparse
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL
from tools.competition_layout import write_competition

CELLS_PER_KNOCKOUT = 350
CONTROL_CELLS = 800
N_HELD_OUT = 5


def main(renge: Path, out: Path, rng: np.random.Generator) -> None:
    """Write the demo."""
    cells = _sample(read_renge(renge), rng)
    knockouts = sorted(set(cells.obs["gene"]) - {CONTROL_LABEL})
    held_out = rng.choice(knockouts, N_HELD_OUT, replace=False).tolist()
    targets = sorted(set(cells.var_names) - set(knockouts))
    write_competition(out, cells, held_out, targets, rng)


def read_renge(folder: Path) -> ad.AnnData:
    """Raw counts (14,945 cells, 103 genes), and in obs what the package tells of each cell.

    The package keeps ln(1 + counts), a 0/1 column for each gene that may be knocked out, and the
    day on which a cell was taken; every day is a sequencing library of its own, 1 to 4 in front of
    the barcode.

    Returns
    -------
    AnnData; obs has nCount_RNA and nFeature_RNA, sum and number of the counts above 0 of the 103
    genes, SampleID, the day, and gene, the knock-out or "NC".
    """
    counts = np.round(np.expm1(pd.read_csv(folder / "E_renge_d2_80.csv", index_col=0)))
    knocked_out = pd.read_csv(folder / "X_renge_d2_80.csv", index_col=0)
    day = knocked_out.pop("t").astype(int)
    obs = pd.DataFrame(
        {
            "nCount_RNA": counts.sum(axis=1),
            "nFeature_RNA": (counts > 0).sum(axis=1).astype(np.int32),
            "SampleID": "day" + day.astype(str),
            "gene": knocked_out.idxmax(axis=1).where(knocked_out.any(axis=1), CONTROL_LABEL),
        }
    )
    return ad.AnnData(counts, obs=obs)


def _sample(cells: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """At most so many cells of each label, in random order: the file's own order is by day."""
    order = rng.permutation(cells.n_obs)
    labels = cells.obs["gene"].astype(str).to_numpy()[order]
    rank = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    most = np.where(labels == CONTROL_LABEL, CONTROL_CELLS, CELLS_PER_KNOCKOUT)
    return cells[order[rank < most]].copy()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("renge", type=Path, help="with E_renge_d2_80.csv and X_renge_d2_80.csv")
    parser.add_argument("out", type=Path)
    main(**vars(parser.parse_args()), rng=np.random.default_rng(0))
