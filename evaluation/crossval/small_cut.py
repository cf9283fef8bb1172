"""Holds train() and infer() against fit() and predict() on a small cut of the data.

Cross-validation judges the two functions. What train() or infer() do besides would ship and not be
judged, so before it scores anything it makes both answer the same question.
"""

import shutil
import tempfile
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from evaluation.command import HOME, users_main
from evaluation.held_out import summary_without
from evaluation.local.answers import written_answer
from evaluation.local.stages import infer_values, run_stage, train_values
from perturbation import competition
from perturbation.data.dataset import open_dataset
from perturbation.data.summary import Summary, summarise
from perturbation.errors import InputError
from perturbation.model.cells import most_variable_genes
from perturbation.model.gene_features import GENE_FEATURES_FILE, load_gene_features
from perturbation.output.model_file import MODEL_FILE

N_KNOCKOUTS, N_GENES, N_TARGETS = 8, 200, 3
SAME = 1e-5
"""The written cells are float32."""


def check_can_be_judged() -> None:
    """Raise InputError unless main.py loads and has the two functions that --cv calls."""
    main = users_main()
    if not (hasattr(main, "fit") and hasattr(main, "predict")):
        raise InputError("main.py has no fit() and predict() to judge. Use --cv K --whole.")


def check_small_cut(summary: Summary, resources: Path) -> None:
    """Raise InputError unless train() and infer() answer as fit() and predict() do.

    Parameters
    ----------
    summary
        Of the training data; some of its cells and genes make the cut.
    resources
        What train() finds in its model directory, model.npz apart.
    """
    main = users_main()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        data, model, prediction = work / "data", work / "resources", work / "prediction"
        data.mkdir()
        prediction.mkdir()
        shutil.copytree(resources, model, ignore=shutil.ignore_patterns(MODEL_FILE))
        targets, genes = _write_cut(summary, data)
        try:
            asked = infer_values(data, model, prediction, targets, genes)
            run_stage(HOME, "train", train_values(data, model))
            run_stage(HOME, "infer", asked)
        except InputError as error:
            raise InputError(
                f"{error}\nThis was on a small cut of the data ({N_KNOCKOUTS} knock-outs, "
                f"{N_GENES} genes at most). If it is too small for your model, use --cv K --whole."
            ) from error
        written, shares = written_answer(prediction, targets, genes)
        shipped = np.concatenate(list(written))
        features = load_gene_features(model / GENE_FEATURES_FILE)
        fitted = main.fit(summarise(open_dataset(data)), features)
        cells, proportions = main.predict(fitted, features, targets, genes)
        judged = np.concatenate([block.copy() for block in cells])
    flags = list(competition.PROGRAM_FLAGS)
    same = shares[flags].to_numpy(), proportions[flags].to_numpy()
    for what, ours, theirs in (("cells", shipped, judged), ("proportions", *same)):
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=SAME):
            raise InputError(
                f"infer() writes other {what} than fit() and predict() give, so --cv would judge "
                "something else than ships. Use --cv K --whole."
            )


def _write_cut(summary: Summary, data: Path) -> tuple[list[str], list[str]]:
    """Write some knock-outs, the controls and the most variable genes; return what to ask."""
    names = list(summary.training.n_cells.index)
    cut, targets = summary_without(summary, names[N_KNOCKOUTS:]), names[N_KNOCKOUTS:][:N_TARGETS]
    columns = most_variable_genes(summary.cells, N_GENES)
    genes = summary.training.genes[columns]
    obs = cut.cell_programs.assign(gene=cut.cell_labels).rename(index=str)
    cells = ad.AnnData(cut.cells[:, columns].astype(np.float64), obs, pd.DataFrame(index=genes))
    cells.write_h5ad(data / competition.TRAINING_FILE)
    cut.training.proportions.rename_axis("gene").to_csv(data / competition.PROPORTIONS_FILE)
    asked = genes[::-1].tolist()  # not in the order of the file
    targets = targets or ["NOT_MEASURED"]
    (data / competition.GENES_FILE).write_text("\n".join(asked))
    (data / competition.PERTURBATIONS_FILE).write_text("\n".join(targets))
    return targets, asked
