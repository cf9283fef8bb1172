"""Write a page, and a CSV beside it, about all that the model predicts and how far to believe it.

    python -m tools.atlas --model resources --out atlas [--targets data/predict_perturbations.txt]

Every training knock-out is predicted once from the others: that says what to expect of a target,
and whether a ranking of targets is more than noise.
"""

import re
import sys
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from evaluation.command import RESOURCES, command_parser, ending
from evaluation.reading import read_names
from evaluation.report.figures import Picture, scatter
from evaluation.report.page import Sections, bullets, table, write_page
from evaluation.report.words import SIGNIFICANT, rank_correlation
from perturbation.competition import PERTURBATIONS_FILE
from perturbation.files import check_writable, whole_file
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.output.model_file import load_model
from tools.atlas import predicted
from tools.maps import Map

SEED = 0
CSV = "atlas.csv"
N_RANKED = 20
PAPERS = "https://pubmed.ncbi.nlm.nih.gov/?term={}%5BTitle%2FAbstract%5D"
CAPTION = (
    "Expected Pearson delta and its interval; nearest training knock-outs, with their measured "
    "shift of adipo; expression of the target in control cells; strength: length of the predicted "
    "effect. Search finds genes, knock-outs and terms; a click on a heading sorts"
)


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
    left_out = predicted.leave_one_out(model, gene_features)
    atlas, places = predicted.make_atlas(model, gene_features, names, left_out)
    rho, p = rank_correlation(left_out["predicted"], left_out["measured"])
    ranks = rho > 0 and p < SIGNIFICANT
    if not ranks:  # to sort by what is noise would be a ranking too
        atlas = atlas.drop(columns=atlas.filter(like="shift of "))
    with whole_file(out / CSV) as unfinished:
        atlas.to_csv(unfinished, float_format="%.5g")
    so = "so targets are ranked" if ranks else "so no ranking is shown: it would be noise"
    fat_cells = (
        "Of knock-outs left out, the predicted and the measured share of adipo cells have a rank "
        f"correlation of {rho:+.2f} (p {p:.2g}), {so}."
    )
    targets_map = Map(places.to_numpy(), "targets", SEED)
    sections: Sections = {
        "How far to believe it": [_believe(left_out), _closeness_picture(left_out)],
        "Fat cells": [bullets([fat_cells]), *(_fat_cells(atlas) if ranks else [])],
        "Map of the targets": [_map(targets_map, atlas[name]) for name in ("strength", "axis 1")],
        "All targets": [
            f'<p><a href="{CSV}" download>{CSV}</a>, the table as a file.</p>',
            _targets(atlas, CAPTION),
        ],
    }
    intro = f"{len(names):,} knock-outs to predict, learnt from {model.training.description}."
    return write_page(out, "What is predicted", intro, sections)


def _believe(left_out: pd.DataFrame) -> str:
    scores = left_out["pearson_delta"]
    rho, p = rank_correlation(left_out["closeness"], scores)
    return bullets(
        [
            f"Each of {len(scores)} training knock-outs was left out and predicted from the "
            f"others: Pearson delta {scores.mean():.3f} ± {scores.sem():.3f} on variable genes, "
            f"from {scores.min():.2f} to {scores.max():.2f}.",
            "A target's interval is that of knock-outs as close. Closeness is the likeness of what "
            "is known about a gene and about the nearest training knock-out; its rank correlation "
            f"with Pearson delta is {rho:+.2f} (p {p:.2g}).",
            f"The interval is to hold {predicted.LEVEL:.0%} of scores. Of the training knock-outs "
            f"it held {predicted.coverage(left_out):.0%}, each with an interval of the others.",
        ]
    )


def _closeness_picture(left_out: pd.DataFrame) -> Picture:
    closeness = left_out["closeness"]
    band = predicted.expected(left_out, closeness.sort_values()).set_axis(closeness.sort_values())
    says = (
        "Dots: knock-outs left out; lines: what is expected of a target as close, "
        f"{band['expected'].iloc[0]:.2f} at the left end, {band['expected'].iloc[-1]:.2f} at the "
        "right, and the interval."
    )
    dots = left_out["pearson_delta"].to_frame("knock-outs left out")
    return scatter(closeness, dots, "closeness", "Pearson delta, left out", says, lines=band)


def _fat_cells(atlas: pd.DataFrame) -> list[str]:
    """Return the targets predicted to lower and to raise fat cells most."""
    ranked = atlas.sort_values("shift of adipo")
    few, many = ranked.head(N_RANKED), ranked.tail(N_RANKED)[::-1]
    return [
        _targets(few, "Predicted to lower fat cells most"),
        _targets(many, "Predicted to raise fat cells most"),
    ]


def _map(targets: Map, values: pd.Series) -> Picture:
    says = f"{values.name} is largest for {', '.join(values.nlargest(3).index)}"
    return targets.numbers(values.to_numpy(), str(values.name), says)


def _targets(atlas: pd.DataFrame, caption: str) -> str:
    """Return rows of the atlas as a table; reasons unfold, their papers are links."""
    frame = atlas.round(3)
    why = [_with_links(text).replace("\n", "<br>") for text in frame.pop("why")]
    whys = [f"<details><summary>why</summary><pre>{text}</pre></details>" for text in why]
    frame.insert(0, "why", whys)
    frame["papers"] = [
        f'<a href="{PAPERS.format(quote(name))}" rel="noreferrer">PubMed</a>'
        for name in frame.index
    ]
    return table(frame, caption, html=["why", "papers"])


def _with_links(text: str) -> str:
    """Escape, and make addresses of papers links."""
    return re.sub(
        r"(https://pubmed\S+/(\d+)/)", r'<a href="\1" rel="noreferrer">\2</a>', escape(text)
    )


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
