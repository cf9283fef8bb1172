"""The run that ``local_test.py --cv K --whole`` asks for: submissions as black boxes, on folds."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluation.crossval.comparison import compare
from evaluation.crossval.contenders import BASELINES, Contender
from evaluation.crossval.fast import (
    Answer,
    Fold,
    FoldAnswers,
    Material,
    Scored,
    Settings,
    all_folds,
    as_table,
    draw_fold_panels,
    score,
)
from evaluation.crossval.run import Finished, read_material, words_of
from evaluation.local.places import LOCAL_RUN
from evaluation.local.stages import Cost
from evaluation.whole.cells_file import matrix_bytes
from evaluation.whole.fold_directory import thinned, write_fold, write_thinned
from evaluation.whole.submission import Submission, run_submission, written_answer
from perturbation.competition import LOCAL_TRUTH_FILE, TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.files import check_writable, need_room, unfinished_name
from perturbation.model.cells import cells_at, choose_cells
from perturbation.model.parts import fitted, predicted_centroids

BYTES_PER_SECOND = 2e8
"""Read and written while folds are made, on two shared cores and a plain disk."""


@dataclass(frozen=True)
class Whole:
    """What folds are made of, and what was seen of them.

    Attributes
    ----------
    data, cells
        Directories: the competition's, and that of the training cells to go on with.
    labels
        (n_cells,) of these cells.
    material
        What the folds of the fast way share; gene features are not among it.
    submissions
        What is judged.
    costs
        Of train() and infer(), by the submission's name, a pair a fold.
    """

    data: Path
    cells: Path
    labels: np.ndarray
    material: Material
    submissions: Sequence[Submission]
    costs: dict[str, list[tuple[Cost, Cost]]] = field(default_factory=dict)


def run(
    data: Path,
    submissions: Sequence[Submission],
    settings: Settings,
    cells_per_perturbation: int | None = None,
) -> Finished:
    """Cross-validate submissions as black boxes; the first is what others are compared with.

    Parameters
    ----------
    data
        The competition's data directory.
    submissions
        What is judged.
    settings
        Folds and panels; its contenders are those of `contenders_of`.
    cells_per_perturbation
        Cells of a knock-out to go on with, spread over its rows; None: all.
    """
    labels = open_dataset(data).labels
    kept = thinned(labels, cells_per_perturbation or len(labels))
    with work_directory(submissions[-1].home) as work:
        announce(data, work, kept, submissions, settings)
        submissions = [s.taken(work / f"pushed-{i}") for i, s in enumerate(submissions)]
        cells = data
        if not kept.all():
            cells = work / "cells"
            write_thinned(data, cells, kept)
        material = read_material(cells, {}, settings)
        whole = Whole(data, cells, labels[kept], material, submissions)
        frames = [score_fold(whole, fold, work) for fold in all_folds(material.summary, settings)]
    scores, examples = as_table(frames, settings)
    words = words_of(data, material) | {
        "Cells": "what infer() wrote; of the baselines, the cells that ship at their centroids",
        "Proportions": "what infer() wrote; the controls' for the control centroid, else the mean",
        "Weights": "black boxes say nothing of what they weigh; the fast way does",
        **{f"Black box {s.name}": _words(whole, s) for s in submissions},
    }
    return Finished(material, scores, compare(scores, len(BASELINES)), words, examples)


def contenders_of(submissions: Sequence[Submission]) -> tuple[Contender, ...]:
    """The first submission, the baselines, the other submissions."""
    first, *others = [Contender(submission.name) for submission in submissions]
    return (first, *BASELINES, *others)


def work_place(home: Path) -> Path:
    """Where folds are written: in $TMPDIR, else in data/local_run/, which push does not send."""
    return Path(os.environ.get("TMPDIR") or home / LOCAL_RUN) / "whole"


@contextmanager
def work_directory(home: Path) -> Iterator[Path]:
    """A directory that is gone afterwards, after a failure and Ctrl-C too.

    What a run that was killed left of it the next run of local_test.py removes.
    """
    directory = unfinished_name(work_place(home))
    check_writable(directory)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def announce(
    data: Path,
    work: Path,
    kept: np.ndarray,
    submissions: Sequence[Submission],
    settings: Settings,
) -> None:
    """Say what the run needs before it starts.

    Raises
    ------
    InputError
        If the disk has not so much room.
    """
    size = matrix_bytes(data / TRAINING_FILE)
    thin = size * kept.mean()
    copy = 0 if kept.all() else thin
    truth = data / LOCAL_TRUTH_FILE
    fold = thin + (matrix_bytes(truth) if truth.is_file() else 0)
    n_folds = settings.n_folds * settings.n_repeats
    seconds = ((size + copy if copy else 0) + n_folds * (thin + fold)) / BYTES_PER_SECOND
    need_room(work / "cells", int(copy + fold))
    print(
        f"Needs up to {(copy + fold) / 1e9:.2f} GB in {work.parent}, one fold at a time. Making "
        f"{n_folds} folds takes about {seconds:.0f} s; to it come {n_folds * len(submissions)} "
        f"train() and infer() on up to {thin / 1e9:.2f} GB of cells each.",
        *[f"{s.name}: {s.words}." for s in submissions],
        sep="\n",
        flush=True,
    )


def score_fold(whole: Whole, fold: Fold, work: Path) -> Scored:
    """Write the fold, let every submission train and infer on it, score, and delete it."""
    material = whole.material
    centroids = material.summary.training.without(fold.held_out)
    genes = centroids.genes[material.truth.columns].tolist()
    answers = {}
    with tempfile.TemporaryDirectory(prefix="fold-", dir=work) as directory:
        data = Path(directory, "data")
        write_fold(whole.cells, whole.data, data, fold.held_out, whole.labels, centroids)
        for number, submission in enumerate(whole.submissions):
            place = Path(directory, str(number))
            costs = run_submission(submission, data, place, fold.held_out)
            whole.costs.setdefault(submission.name, []).append(costs)
            answers[submission.name] = written_answer(place, fold.held_out, genes)
        # subtle: a fold's cells, of which panels and baselines are made, are gone before the truth
        # is taken: memory has no room for both
        panels, of_baselines = from_training(material, fold)
        truth = material.truth.of(fold.held_out)
        return score(FoldAnswers(panels, centroids, answers | of_baselines), truth, fold)


def from_training(material: Material, fold: Fold) -> tuple[list[np.ndarray], dict[str, Answer]]:
    """Panels of genes, and what the baselines say: shipped cells at their centroids."""
    training, columns = material.summary.without(fold.held_out), material.truth.columns
    perturbations = fold.held_out
    base_cells = choose_cells(training)[:, columns]
    answers = {}
    for baseline in BASELINES:
        parts = baseline.predict_parts()
        predictor = fitted(parts["predictor"](), training.training, None)
        rows = predicted_centroids(predictor, perturbations, len(training.training.genes))
        shares = parts["proportions"](training.training, None, predictor, perturbations)
        answers[baseline.name] = cells_at(base_cells, (row[columns] for row in rows)), shares
    return draw_fold_panels(material, training, fold), answers


def _words(whole: Whole, submission: Submission) -> str:
    """What ran, and the most it took."""
    costs = whole.costs[submission.name]
    of_stages = [
        f"{name}() at most {max(c.seconds for c in stage):.0f} s and "
        f"{max(c.peak_memory_bytes for c in stage) / 1e9:.2f} GB"
        for name, stage in zip(("train", "infer"), zip(*costs, strict=True), strict=True)
    ]
    return f"{submission.words}; {', '.join(of_stages)}"
