"""Every model of examples/ in one table: its three scores, and whether it beats the control.

    python -m benchmarks.examples                    # on the demo, two minutes
    python -m benchmarks.examples DATA --folds 3

A full submission stands in the place of main.py and is judged as `--cv K --whole` does; a predictor
as `--cv K --predictor` does, on the same folds and panels.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from evaluation.command import HOME, RESOURCES, command_parser
from evaluation.crossval.baselines import CONTROL
from evaluation.crossval.comparison import TITLES, Comparison, compare
from evaluation.crossval.contenders import SHIPPED, Contender
from evaluation.crossval.fast import cross_validate, gather
from evaluation.crossval.folds import Settings
from evaluation.whole.run import run
from evaluation.whole.submission import find_submission

NEIGHBOURS = Contender("neighbours", "examples.neighbours:Neighbours", own_transcript=True)
FULL = ("ridge", "programs", "counts", "network")


def score_examples(data: Path, n_folds: int) -> list[Comparison]:
    """Scores of all, and their differences to the control centroid."""
    judged = [shipped := find_submission(SHIPPED.name, HOME)]
    for name in FULL:
        code = shipped.code | {"main.py": HOME / "examples" / f"{name}.py"}
        judged.append(replace(shipped, name=name, code=code))
    whole = run(data, judged, Settings(n_folds))
    fast = gather(data, RESOURCES, (SHIPPED, NEIGHBOURS), Settings(n_folds))
    by_parts = cross_validate(fast).scores
    names = [CONTROL, SHIPPED.name, NEIGHBOURS.name, *FULL]
    scores = pd.concat([whole.scores, by_parts[by_parts["contender"] == NEIGHBOURS.name]])
    scores = scores[scores["contender"].isin(names)]
    return compare(scores.assign(contender=pd.Categorical(scores["contender"], names)))


def table(comparisons: list[Comparison]) -> pd.DataFrame:
    """One row a contender; in brackets, what it scores more than the first, paired."""
    rows: dict[str, dict[str, str]] = {}
    for c in comparisons:
        text = f"{c.score.mean:.4f} ± {c.score.standard_error:.4f}"
        if c.difference:
            gap = f"{c.difference.mean:+.4f} ± {c.difference.standard_error:.4f}"
            verdict = c.verdict if c.verdict in ("better", "worse") else ""
            text = f"{c.score.mean:.4f} ({gap}) {verdict:6}"
        rows.setdefault(c.contender, {})[TITLES[c.metric]] = text
    return pd.DataFrame.from_dict(rows, orient="index")


if __name__ == "__main__":
    parser = command_parser(__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=HOME / "data" / "demo")
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    print(table(score_examples(arguments.data, arguments.folds)).to_string())
