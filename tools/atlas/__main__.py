"""Write a page, and a CSV beside it, about all that the model predicts and how far to believe it.

    python -m tools.atlas --model resources --out atlas [--targets data/predict_perturbations.txt]

Every training knock-out is predicted once from the others: that says what to expect of a target,
and whether a ranking of targets is more than noise.
"""

import re
import sys
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluation.command import RESOURCES, command_parser, ending
from evaluation.reading import read_names
from evaluation.report.figures import picture
from evaluation.report.page import bullets, table, write_page
from perturbation.competition import PERTURBATIONS_FILE
from perturbation.data.centroids import TrainingCentroids
from perturbation.files import check_writable, whole_file
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.output.model_file import load_model
from tools.atlas.left_out import LEVEL, N_PANEL_GENES, LeftOut, leave_one_out
from tools.atlas.targets import Atlas, fat_cell_genes, make_atlas
from tools.maps import Map

SEED = 0
CSV = "atlas.csv"
N_RANKED = 20
PAPERS = "https://pubmed.ncbi.nlm.nih.gov/?term={}%5BTitle%2FAbstract%5D"


def atlas_page(model_directory: Path, targets: Path, out: Path) -> Path:
    """Write index.html and atlas.csv, and return the page's path.

    Parameters
    ----------
    model_directory
        With model.npz and gene_features.npz.
    targets
        Names, one a line.
    out
        Directory; made if it is missing.

    Raises
    ------
    InputError
        If a file is missing or not in its format.
    """
    check_writable(out / CSV)
    names = read_names(targets)
    model = load_model(model_directory)
    gene_features = load_gene_features(model_directory / GENE_FEATURES_FILE)
    left_out = leave_one_out(model, gene_features)
    atlas = make_atlas(model, gene_features, names, left_out)
    believed = atlas.table
    if not left_out.ranks_fat_cells:  # to sort by what is noise would be a ranking too
        believed = believed.drop(columns=["fat", *believed.filter(like="shift of ")])
    with whole_file(out / CSV) as unfinished:
        believed.to_csv(unfinished, float_format="%.5g")
    sections: dict[str, str | list[str]] = {
        "How far to believe it": [_believe(left_out), _closeness_picture(left_out)],
        "Fat cells": _fat_cells(atlas.table, left_out, model.training),
        "Map of the targets": _maps(atlas),
        "All targets": f'<p><a href="{CSV}" download>{CSV}</a>, the table as a file.</p>'
        + _all_targets(believed),
    }
    intro = f"{len(names):,} knock-outs to predict, learnt from {model.training.description}."
    return write_page(out, "What is predicted", intro, sections)


def _believe(left_out: LeftOut) -> str:
    scores, (rho, p) = left_out.pearson_delta, left_out.closeness_test
    error = scores.std() / np.sqrt(len(scores))
    so = (
        "goes with closeness, so a target's interval is that of knock-outs as close"
        if left_out.closeness_tells
        else "does not rise with closeness by more than chance, so all targets get one interval"
    )
    return bullets(
        [
            f"Each of {len(scores)} training knock-outs was left out and predicted from the "
            f"others: Pearson delta {scores.mean():.3f} ± {error:.3f} on the most variable genes "
            f"({N_PANEL_GENES:,} at most), from {scores.min():.2f} to {scores.max():.2f}.",
            f"It {so}. (Closeness: likeness of what is known about a gene and about the nearest "
            f"training knock-out; rank correlation {rho:+.2f}, p {p:.2g}.)",
            f"The interval is to hold {LEVEL:.0%} of scores. Of the training knock-outs it held "
            f"{left_out.coverage():.0%}, each with an interval made of the others.",
        ]
    )


def _fat_sentence(left_out: LeftOut) -> str:
    rho, p = left_out.fat_test
    tells = "tells" if left_out.ranks_fat_cells else "does not tell"
    return (
        f"Of knock-outs left out, the predicted effect {tells} which have more adipo cells (rank "
        f"correlation {rho:+.2f}, one-sided p {p:.2g})."
    )


def _closeness_picture(left_out: LeftOut) -> str:
    grid = np.linspace(left_out.closeness.min(), left_out.closeness.max(), 60)
    band = left_out.expected(grid)

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.fill_between(grid, band["low"], band["high"], color="C0", alpha=0.2, lw=0)
        ax.plot(grid, band["expected"], color="C0")
        ax.scatter(left_out.closeness, left_out.pearson_delta, 12, color="C1")
        ax.set(xlabel="closeness to another training knock-out", ylabel="Pearson delta, left out")

    first, last = band["expected"].iloc[[0, -1]]
    so = f"as close, {first:.2f} at the left end, {last:.2f} at the right"
    so = so if left_out.closeness_tells else "however close"
    says = f"Dots: knock-outs left out; line and band: what is expected of a target {so}."
    return picture(draw, "Pearson delta of knock-outs left out against closeness", says)


def _fat_cells(targets: pd.DataFrame, left_out: LeftOut, training: TrainingCentroids) -> str:
    if not left_out.ranks_fat_cells:
        why = (
            "No ranking is shown, and no shift of programs in the table below: knock-outs left out "
            "say that it would be noise."
        )
        return bullets([why, _fat_sentence(left_out)])
    frame = fat_cell_genes(targets, training, N_RANKED)
    frame.insert(4, "what they share", [_terms(targets.loc[name, "why"]) for name in frame.index])
    formats = {"score": "{:+.3f}", "expected Pearson delta": "{:.2f}", "expression": "{:.1f}"}
    caption = "Predicted to lower and to raise fat cells most; score: effect along the direction"
    html = ["what they share"]
    return bullets([_fat_sentence(left_out)]) + table(frame, f"{caption} of adipo", formats, html)


def _maps(atlas: Atlas) -> list[str]:
    targets, drawn = Map(atlas.scores, "targets", SEED), []
    for column, label in (
        ("strength", "length of the predicted effect"),
        ("axis 1", f"place along axis 1 ({atlas.shares[0]:.0%} of the training effects)"),
        ("expected", "expected Pearson delta"),
    ):
        values = atlas.table[column]
        if values.nunique() == 1:
            continue
        says = (
            f"Targets with like predicted effects stand together. Colour: {label}; largest for "
            f"{', '.join(values.nlargest(3).index)}"
        )
        drawn.append(targets.numbers(values.to_numpy(), label, says))
    return drawn


def _all_targets(believed: pd.DataFrame) -> str:
    frame = believed.drop(columns=["fat", "why"], errors="ignore")
    formats = dict.fromkeys(["expected", "low", "high", "closeness"], "{:.2f}")
    formats |= dict.fromkeys(["strength", "expression"], "{:.1f}")
    formats |= {str(name): "{:+.2f}" for name in frame.filter(like="axis")}
    formats |= {str(name): "{:+.3f}" for name in frame.filter(like="shift of ")}
    frame["papers"] = [_link(PAPERS.format(name), "PubMed") for name in frame.index]
    why = [_with_links(text).replace("\n", "<br>") for text in believed["why"]]
    frame.insert(
        0, "why", [f"<details><summary>why</summary><pre>{w}</pre></details>" for w in why]
    )
    caption = (
        f"Expected Pearson delta with its {LEVEL:.0%} interval, low to high; strength: length of "
        "the predicted effect; expression: of the target in control cells. Search finds genes, "
        "knock-outs and terms; a click on a heading sorts"
    )
    return table(frame, caption, formats, html=["papers", "why"])


def _terms(text: str) -> str:
    """Return the first shared terms of an explanation, as HTML."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("      ")]
    return "<br>".join(_with_links(line) for line in lines[:2])


def _with_links(text: str) -> str:
    """Escape, and make addresses of papers links."""
    return re.sub(
        r"https://pubmed[^\s;]+", lambda m: _link(m[0], m[0].split("/")[-2]), escape(text)
    )


def _link(address: str, words: str) -> str:
    return f'<a href="{escape(address)}" rel="noreferrer">{escape(words)}</a>'


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = command_parser(__doc__)
    targets = RESOURCES.parent / "data" / PERTURBATIONS_FILE
    parser.add_argument("--model", type=Path, default=RESOURCES, help="default: resources/")
    parser.add_argument("--targets", type=Path, default=targets)
    parser.add_argument("--out", type=Path, default=Path("atlas"), help="default: atlas/")
    options = parser.parse_args(arguments)
    return ending(lambda: print("Page:", atlas_page(options.model, options.targets, options.out)))


if __name__ == "__main__":
    sys.exit(main())
