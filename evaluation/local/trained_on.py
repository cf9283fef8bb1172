"""Tells whether a model was trained on the cells of a data directory."""

from pathlib import Path

import numpy as np
import pandas as pd

from perturbation.competition import CONTROL_LABEL, TRAINING_FILE
from perturbation.data.dataset import open_dataset
from perturbation.output.model_file import Model


def was_trained_on(model: Model, data: Path) -> bool:
    """Whether genes, knock-outs and their numbers of cells are those of a data directory."""
    if not (data / TRAINING_FILE).is_file():
        return False
    dataset = open_dataset(data)
    n_cells = pd.Series(dataset.labels).value_counts().drop(CONTROL_LABEL)
    return (
        np.array_equal(dataset.genes, model.training.genes)
        and n_cells.to_dict() == model.training.n_cells.to_dict()
    )
