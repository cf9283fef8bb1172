"""The run that ``local_test.py --cv K --whole`` asks for: submissions as black boxes, on folds."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from evaluation.command import HOME
from evaluation.crossval.baselines import baseline_answers
from evaluation.crossval.folds import Fold, Settings, SharedData, all_folds, read_shared
from evaluation.crossval.result import CrossValidation, compared
from evaluation.crossval.scores import Scored, score, together
from evaluation.held_out import centroids_without, summary_without
from evaluation.local.places import LOCAL_RUN
from evaluation.whole.fold_directory import matrix_bytes, thinned, write_fold, write_thinned
from evaluation.whole.submission import Submission, run_submission
from perturbation.competition import LOCAL_TRUTH_FILE, TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.files import check_writable, need_room, unfinished_name
from perturbation.model.cells import choose_cells

BYTES_PER_SECOND = 2e8
"""Read and written while folds are made, on two shared cores and a plain disk."""


def run(
    data: Path,
    submissions: Sequence[Submission],
    settings: Settings,
    cells_per_perturbation: int | None = None,
) -> CrossValidation:
    """Cross-validate submissions as black boxes; the first is what others are compared with.

    Parameters
    ----------
    data
        The competition's data directory.
    submissions
        What is judged.
    settings
        Folds and panels.
    cells_per_perturbation
        Cells of a knock-out to go on with, spread over its rows; None: all.
    """
    words = {f"Black box {s.name}": s.words for s in submissions}
    words["Weights"] = "black boxes say nothing of what they weigh; the fast way does"
    labels = open_dataset(data).labels
    kept = thinned(labels, cells_per_perturbation or len(labels))
    with work_directory() as work:
        n_folds = settings.n_folds * settings.n_repeats
        announce(data, work, kept, n_folds, n_folds * len(submissions))
        boxes = [s.taken(work / f"pushed-{i}") for i, s in enumerate(submissions)]
        if not kept.all():
            data = write_thinned(data, work / data.resolve().name, kept)
        shared = read_shared(data, settings)
        folds = all_folds(list(shared.truth.centroids.index), settings)
        scored = together(score_fold(shared, fold, boxes, data, work) for fold in folds)
    return compared(data, shared, scored, words)


def work_place() -> Path:
    """Where folds are written: in $TMPDIR, else in data/local_run/, which push does not send."""
    return Path(os.environ.get("TMPDIR") or HOME / LOCAL_RUN) / "whole"


@contextmanager
def work_directory() -> Iterator[Path]:
    """A directory that is gone afterwards, after a failure and Ctrl-C too.

    What a run that was killed left of it the next run of local_test.py removes.
    """
    directory = unfinished_name(work_place())
    check_writable(directory)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def announce(data: Path, work: Path, kept: np.ndarray, n_folds: int, n_runs: int) -> None:
    """Say what the run needs before it starts; InputError if the disk has not so much room."""
    size, truth = matrix_bytes(data / TRAINING_FILE), data / LOCAL_TRUTH_FILE
    fold = size * kept.mean() + (matrix_bytes(truth) if truth.is_file() else 0)
    copy = 0 if kept.all() else fold
    seconds = ((size + copy if copy else 0) + 2 * n_folds * fold) / BYTES_PER_SECOND
    need_room(work / "cells", int(copy + fold))
    print(
        f"Needs up to {(copy + fold) / 1e9:.2f} GB in {work.parent}, one fold at a time. Making "
        f"{n_folds} folds takes about {seconds:.0f} s; train() and infer() run {n_runs} times.",
        flush=True,
    )


def score_fold(
    shared: SharedData, fold: Fold, boxes: Sequence[Submission], data: Path, work: Path
) -> Scored:
    """Write the fold, let every submission train and infer on it, score, and delete it."""
    columns, held_out = shared.truth.columns, fold.held_out
    genes = shared.summary.training.genes[columns].tolist()
    answers = {}
    with tempfile.TemporaryDirectory(prefix="fold-", dir=work) as directory:
        fold_data = Path(directory, "data")
        write_fold(data, fold_data, held_out, centroids_without(shared.summary.training, held_out))
        for number, box in enumerate(boxes):
            place = Path(directory, str(number))
            answers[box.name] = run_submission(box, fold_data, place, genes)
        training = summary_without(shared.summary, held_out)
        cells = choose_cells(training)
        answers |= baseline_answers(training.training, cells, held_out, columns)
        return score(shared, training, fold, answers)
