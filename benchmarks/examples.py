"""Every model of examples/ in one table: its three scores, and whether it beats the control.

    python -m benchmarks.examples                    # on the demo, two minutes
    python -m benchmarks.examples DATA --folds 3

A full submission stands in the place of main.py and is judged as `--cv K --whole` does; a predictor
as `--cv K --predictor` does, on the same folds and panels.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from evaluation.crossval.comparison import TITLES, Comparison, compare
from evaluation.crossval.contenders import BASELINES, SHIPPED, Contender
from evaluation.crossval.fast import Settings, cross_validate
from evaluation.crossval.run import gather
from evaluation.crossval.workers import Workers
from evaluation.tables import aligned
from evaluation.whole.run import contenders_of, run
from evaluation.whole.submission import Submission, find_submission

ROOT = Path(__file__).resolve().parent.parent
NEIGHBOURS = Contender("neighbours", "examples.neighbours:Neighbours", own_transcript=True)
FULL = ("ridge", "programs", "counts", "network")
CONTROL = BASELINES[0].name


def submissions() -> list[Submission]:
    """What ships, and each full example in the place of its main.py."""
    shipped = find_submission(SHIPPED.name, ROOT)
    mains = {name: ROOT / "examples" / f"{name}.py" for name in FULL}
    others = [
        replace(shipped, name=name, code=shipped.code | {"main.py": path})
        for name, path in mains.items()
    ]
    return [shipped, *others]


def score_examples(data: Path, n_folds: int) -> list[Comparison]:
    """Scores of all, and their differences to the control centroid."""
    judged = submissions()
    whole = run(data, judged, Settings(contenders_of(judged), n_folds))
    fast = Settings((SHIPPED, NEIGHBOURS), n_folds)
    by_parts = cross_validate(gather(data, ROOT / "resources", fast), Workers()).scores
    names = [CONTROL, SHIPPED.name, NEIGHBOURS.name, *FULL]
    scores = pd.concat([whole.scores, by_parts[by_parts["contender"] == NEIGHBOURS.name]])
    scores = scores[scores["contender"].isin(names)]
    return compare(scores.assign(contender=pd.Categorical(scores["contender"], names)))


def table(comparisons: list[Comparison]) -> str:
    """One row a model; a verdict is told where its 95 percent interval leaves out 0."""
    rows: dict[str, list[str]] = {}
    for c in comparisons:
        row = rows.setdefault(c.contender, [c.contender])
        row += [f"{c.score.mean:.4f} ± {c.score.standard_error:.4f}", c.verdict]
    header = [part for title in TITLES.values() for part in (title, "than control")]
    return aligned(["", *header], list(rows.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?", default=ROOT / "data" / "demo")
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    print(table(score_examples(arguments.data, arguments.folds)))
