"""The three pages of the demo and of a simulated competition with every gene, each made once."""

import shutil
from pathlib import Path

import main
from evaluation.crossval import fast
from evaluation.crossval.contenders import SHIPPED
from evaluation.crossval.folds import Settings
from evaluation.report.crossval import write_report
from simulation.competition import simulate
from tools.atlas.__main__ import atlas_page
from tools.explore.__main__ import explore

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "demo"
ALL_GENES = 21_592


def pages_of(data, named, out, n_folds=3):
    """Make the pages; return their paths by name, the model directory and the finished run."""
    model = out / "resources"
    model.mkdir(parents=True)
    shutil.copy(ROOT / "resources" / "gene_features.npz", model)
    main.train(str(data), str(model))
    settings = Settings(n_folds, panel=("variable", 1000, 1), pictures=True)
    finished = fast.run(data, model, (SHIPPED,), settings)
    paths = {
        "explore": explore(data, out / "explore", named, model),
        "report": write_report(finished, out / "report"),
        "atlas": atlas_page(model, data / "predict_perturbations.txt", out / "atlas"),
    }
    return paths, model, finished


def simulated(path):
    """A competition of full gene count and few cells."""
    sizes = {"n_perturbations": 8, "n_targets": 50, "n_held_out": 2}
    simulate(path, n_cells=300, n_genes=ALL_GENES, **sizes)
    return path


def all_pages(out):
    return {
        "demo": pages_of(DEMO, ["PRDM14"], out / "demo"),
        "simulated": pages_of(simulated(out / "data"), [], out / "simulated", n_folds=2),
    }
