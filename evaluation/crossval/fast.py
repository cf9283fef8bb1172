"""The fast way: main.py's fit() and predict() on perturbations held out of training."""

from evaluation.command import users_main
from evaluation.crossval.baselines import baseline_answers
from evaluation.crossval.folds import Fold, SharedData, all_folds
from evaluation.crossval.scores import Scored, score, together
from evaluation.crossval.workers import Workers, map_tasks
from evaluation.local.answers import Answer
from perturbation.competition import CELLS_PER_PERTURBATION
from perturbation.data.summary import Summary
from perturbation.model.parts import checked_cells
from perturbation.output.model_file import Model


def cross_validate(shared: SharedData, workers: Workers) -> Scored:
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
    training = shared.summary.without(fold.held_out)
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
