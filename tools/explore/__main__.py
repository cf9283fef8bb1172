"""Write a page about a data directory: cells, knock-outs, effects, programs, and what is odd.

    python -m tools.explore DATA --out explore [--show GENE_OR_KNOCKOUT ...]

One pass over the cells; the pictures are of a sample that is spread evenly over every knock-out.
"""

import sys
from pathlib import Path

from evaluation.command import RESOURCES, command_parser, ending
from evaluation.reading import check_known
from evaluation.report.page import PAGE, Sections, bullets, table, write_page
from perturbation.competition import PROGRAM_FLAGS
from perturbation.data.dataset import open_dataset
from perturbation.files import check_writable
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from tools.explore import pictures
from tools.explore.look import DEPTH, POOL, Look, look_at, oddities

SEED = 0
EACH = "Every knock-out: cells, effect, effect by chance, and the target in control cells"
AXES = "Axes, their share of variance, rank correlation with the shares of programs, and genes"


def explore(data: Path, out: Path, named: list[str], model: Path = RESOURCES) -> Path:
    """Write the page and return its path.

    Parameters
    ----------
    data
        A data directory in the competition's layout.
    out
        Gets index.html.
    named
        Genes or knock-outs to colour the map by.
    model
        Directory of gene_features.npz.

    Raises
    ------
    InputError
        If the data are not as train() demands, or a name is neither gene nor knock-out.
    """
    check_writable(out / PAGE)
    gene_features = load_gene_features(model / GENE_FEATURES_FILE)
    dataset = open_dataset(data)
    check_known(named, {*dataset.genes, *dataset.labels}, "gene or knock-out of these data")
    look = look_at(dataset)
    sections: Sections = {
        "What is here": [bullets(_facts(look))],
        "Map of the cells": pictures.cell_maps(look, named, SEED),
        "How strong the effects are": [
            pictures.strength_and_chance(look),
            pictures.strength_and_expression(look),
            table(look.strengths.rename_axis("knock-out"), EACH),
        ],
        "First axes of the effects": [table(pictures.axis_table(look), AXES)],
        "Programs": [pictures.shares(look, program) for program in PROGRAM_FLAGS],
        "Knock-outs and genes": [pictures.heat_map(look)],
        "What is odd": [bullets(oddities(look, gene_features, data))],
    }
    intro = f"{data.resolve().name}: look at it before you model it."
    return write_page(out, "The data", intro, sections)


def _facts(look: Look) -> list[str]:
    training, n, obs = look.summary.training, look.strengths["n_cells"], look.obs
    depth = f"median {obs[DEPTH].median():,.0f} counts a cell" if DEPTH in obs else f"no {DEPTH}"
    return [
        f"Cells: {len(obs):,}, of which {training.n_control_cells:,} controls",
        f"Genes: {len(training.genes):,}; effects, axes and map are of the "
        f"{look.effects.shape[1]:,} most variable",
        f"Knock-outs: {len(n):,}, of {n.min():,} ({n.idxmin()}) to {n.max():,} cells each, "
        f"{n.median():,.0f} in the median",
        f"Pools: {obs[POOL].nunique() if POOL in obs else f'no {POOL}'}",
        f"Depth: {depth}",
        f"Sample: {len(look.panel):,} cells, as many of each knock-out and of the controls",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = command_parser(__doc__)
    parser.add_argument("data", type=Path, help="data directory, such as data or data/demo")
    parser.add_argument("--out", type=Path, default=Path("explore"), help="default: explore/")
    parser.add_argument("--show", nargs="+", default=[], metavar="NAME", help="gene or knock-out")
    options = parser.parse_args(arguments)
    return ending(lambda: print("Page:", explore(options.data, options.out, options.show)))


if __name__ == "__main__":
    sys.exit(main())
