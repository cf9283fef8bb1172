"""The page about a cross-validation, the fast way or of whole submissions."""

from pathlib import Path

import pandas as pd

from evaluation.crossval.comparison import TITLES, by_perturbation, tables
from evaluation.crossval.result import CrossValidation
from evaluation.report import pictures
from evaluation.report.page import Sections, bullets, table, write_page
from evaluation.scoring.metrics import METRICS
from perturbation.competition import PROGRAM_FLAGS


def write_report(result: CrossValidation, directory: Path) -> Path:
    """Write the page and return its path."""
    scores, training = result.scores, result.shared.summary.training
    by_metric = by_perturbation(scores)
    means = {metric: pd.DataFrame(by_metric[metric]) for metric in METRICS}
    control = pd.Series(training.control_centroid, index=training.genes)
    lengths = scores.groupby("perturbation")["true_length"].mean()
    pearson, mmd = (means[metric].iloc[:, 0] for metric in ("pearson_delta", "mmd"))
    ranked, seen = pearson.sort_values(ascending=False).index, result.examples
    shown = [ranked[0], ranked[len(ranked) // 2], ranked[-1]]
    shares = result.shared.truth.proportions
    titled = [means[metric].add_prefix(f"{TITLES[metric]}, ") for metric in METRICS]
    each = pd.concat([training.n_cells.rename("cells"), *titled], axis=1).rename_axis("knock-out")
    sections: Sections = {
        "What decides": [pictures.forest(result.comparisons)],
        "Where it earns and where it fails": [
            pictures.against(means, lengths, "length of the effect"),
            pictures.against(means, training.n_cells, "number of cells"),
            pictures.against(means, control, "the target's expression"),
        ],
        "Best, median and worst effect": [
            pictures.effect(name, seen[name].effects, pearson[name]) for name in shown
        ],
        "Own transcript and strength": [
            pictures.own_transcript(scores),
            pictures.strength(scores),
        ],
        "Predicted and true cells": [
            pictures.cells(name, seen[name].cells, mmd[name]) for name in shown
        ],
        "Program proportions": [
            pictures.shares(scores, shares, program) for program in PROGRAM_FLAGS
        ],
        "Every knock-out": [pictures.every_knockout(means)],
        "Tables": [
            *(
                table(found.rename_axis("contender"), str(found.columns.name))
                for found in tables(result.comparisons).values()
            ),
            table(each, "Every knock-out, mean over repeats and panels"),
        ],
        "Settings and learnt weights": [bullets(map(": ".join, result.words.items()))],
    }
    title = "Cross-validation on held-out knock-outs"
    return write_page(directory, title, result.words["Data"], sections)
