"""Train and infer as the platform does; stands where the client looks for the competition's runner.

Of the project's own writing. The client calls `run`, then `execute` for every command of `run`, in
the cloud in a process of its own.
"""

import shutil
from pathlib import Path

import anndata
import pandas as pd
from crunch.utils import smart_call

PREDICTION_FILE = "prediction.h5ad"
PROPORTIONS_FILE = "predict_program_proportion.csv"


def run(context, data_directory_path, prediction_directory_path):
    """Train when asked to, infer into an empty directory, cut the prediction to what is scored."""
    if context.force_first_train:
        context.execute(command="train")

    directory = Path(prediction_directory_path)
    _report_strays(context, directory)
    _empty(directory)
    paths = {
        "prediction_h5ad_file_path": str(directory / PREDICTION_FILE),
        "program_proportion_csv_file_path": str(directory / PROPORTIONS_FILE),
    }
    context.execute(command="infer", parameters=paths)

    _keep_scored(
        directory / PREDICTION_FILE,
        _perturbations(data_directory_path, context.is_local),
        _genes(data_directory_path),
    )
    _report_strays(context, directory)
    _report_missing(context, directory)


def execute(context, module, data_directory_path, model_directory_path, prediction_directory_path):
    """Return the two commands; each calls the function of its name in main.py."""
    directories = {
        "data_directory_path": data_directory_path,
        "model_directory_path": model_directory_path,
    }

    def train():
        smart_call(module.get_function("train"), directories)

    def infer(prediction_h5ad_file_path, program_proportion_csv_file_path):
        values = {
            "prediction_directory_path": prediction_directory_path,
            "prediction_h5ad_file_path": prediction_h5ad_file_path,
            "program_proportion_csv_file_path": program_proportion_csv_file_path,
            "predict_perturbations": _perturbations(data_directory_path, context.is_local),
            "genes_to_predict": _genes(data_directory_path),
        }
        smart_call(module.get_function("infer"), directories, values)

    return {"train": train, "infer": infer}


def _perturbations(data_directory_path, is_local):
    if not is_local:
        return _names(Path(data_directory_path, "predict_perturbations.txt"))
    truth = Path(data_directory_path, "program_proportion_local_gtruth.csv")
    return pd.read_csv(truth)["gene"].tolist()


def _genes(data_directory_path):
    return _names(Path(data_directory_path, "genes_to_predict.txt"))


def _names(path):
    return path.read_text().split()


def _keep_scored(path, perturbations, genes):
    prediction = anndata.read_h5ad(path)
    rows = prediction.obs["gene"].isin(perturbations)
    prediction[rows, prediction.var_names.isin(genes)].write_h5ad(path)


def _report_strays(context, directory):
    for path in directory.iterdir():
        if path.name not in (PREDICTION_FILE, PROPORTIONS_FILE):
            context.log(f"stray file in the prediction directory: {path.name}", error=True)


def _report_missing(context, directory):
    for name in (PREDICTION_FILE, PROPORTIONS_FILE):
        if not (directory / name).is_file():
            context.log(f"missing file in the prediction directory: {name}", error=True)


def _empty(directory):
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
