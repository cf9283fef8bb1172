"""The fast way, ``local_test.py --cv``: main.py's fit() and predict() on knock-outs held out."""

from collections.abc import Sequence
from pathlib import Path

from evaluation.command import users_main
from evaluation.crossval.baselines import baseline_answers
from evaluation.crossval.contenders import Contender
from evaluation.crossval.folds import Fold, Settings, SharedData, all_folds, read_shared
from evaluation.crossval.result import CrossValidation, compared
from evaluation.crossval.scores import Scored, score, together
from evaluation.crossval.small_cut import check_can_be_judged, check_small_cut
from evaluation.crossval.workers import map_tasks
from evaluation.held_out import summary_without
from evaluation.local.answers import Answer
from evaluation.report.words import learnt_weights
from perturbation.competition import CELLS_PER_PERTURBATION
from perturbation.data.summary import Summary
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.model.parts import checked_cells, fitted
from perturbation.output.model_file import Model


def run(
    data: Path,
    model: Path,
    contenders: Sequence[Contender],
    settings: Settings,
    workers: int | str = 1,
) -> CrossValidation:
    """Cross-validate and compare; see `gather`."""
    check_can_be_judged()  # before minutes of reading
    shared = gather(data, model, contenders, settings)
    check_small_cut(shared.summary, model)
    return compared(data, shared, cross_validate(shared, workers), learnt_by(shared))


def gather(
    data: Path, model: Path, contenders: Sequence[Contender], settings: Settings
) -> SharedData:
    """Read all that folds share, in one pass over the training cells.

    Of the model directory the gene features alone are read; models are trained fold by fold.
    """
    paths = {contender.features for contender in contenders}
    features = {path: load_gene_features(path or model / GENE_FEATURES_FILE) for path in paths}
    return read_shared(data, settings, {c: features[c.features] for c in contenders})


def cross_validate(shared: SharedData, workers: int | str = 1) -> Scored:
    """Score every contender on every perturbation, each held out once a repeat.

    Returns
    -------
    Scores: one row for each repeat, perturbation, contender and panel draw: columns repeat,
    fold, perturbation, contender, draw, pearson_delta, mmd, l1 and the predicted
    proportions. The same, bit for bit, for any number of workers.
    """
    tasks = all_folds(list(shared.truth.centroids.index), shared.settings)
    return together(map_tasks(score_fold, shared, tasks, workers, "folds"))


def score_fold(shared: SharedData, fold: Fold) -> Scored:
    """Predict one fold from its training part, then score it with its truth."""
    training = summary_without(shared.summary, fold.held_out)
    return score(shared, training, fold, predict_fold(shared, training, fold))


def predict_fold(shared: SharedData, training: Summary, fold: Fold) -> dict[str, Answer]:
    """Fit everything on the training part; the names of the held-out ones are all it is told."""
    main, columns = users_main(), shared.truth.columns
    scored = training.training.genes[columns].tolist()
    shape = (CELLS_PER_PERTURBATION, len(scored))
    models: dict[tuple[str, str], Model] = {}
    answers: dict[str, Answer] = {}
    for contender, features in shared.contenders.items():
        key = contender.cells, contender.features
        if key not in models:
            models[key] = main.fit(training, features, **contender.parts("cells"))
        parts = contender.parts("predictor", "proportions")
        cells, shares = main.predict(models[key], features, fold.held_out, scored, **parts)
        answers[contender.name] = checked_cells(cells, len(fold.held_out), shape), shares
    base_cells = next(iter(models.values())).base_cells
    return answers | baseline_answers(training.training, base_cells, fold.held_out, columns)


def learnt_by(shared: SharedData) -> dict[str, str]:
    """Say what the shipped predictor weighs, trained on all knock-outs, with each feature file."""
    main = users_main()
    words: dict[str, str] = {}
    if not hasattr(main, "shipped_predictor"):  # one's own main.py may do without
        return words
    files = {contender.features: features for contender, features in shared.contenders.items()}
    for path, features in files.items():
        predictor = fitted(main.shipped_predictor(), shared.summary.training, features)
        for kind, weights in learnt_weights(predictor, features).items():
            words[f"{kind}, {path or 'shipped'}"] = weights
    return words
