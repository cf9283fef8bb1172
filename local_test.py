"""Test the submission on this machine: train, infer, check, score, compare.

    python local_test.py                     what `crunch test` does, checked and scored
    python local_test.py --skip-train        with the model of the last run
    python local_test.py --score-only DIR    a prediction directory that exists

Exit status: 0, 1 if the platform would reject the submission, 2 if the run failed.
"""

import argparse
import json
import sys
from pathlib import Path

from evaluation.local_run import (
    as_json,
    check_and_score,
    choose_data,
    choose_places,
    choose_scorer,
    describe,
    local_panels,
    run_stages,
)
from evaluation.local_truth import read_local_truth
from evaluation.panels import PANEL_KINDS
from perturbation.errors import InputError

SUBMISSION = Path(__file__).resolve().parent


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, help="data directory (default: data/ if filled, else data/demo)")
    add("--model", type=Path, help="model directory (default: resources/ for data/)")
    add("--out", type=Path, help="prediction directory (default: prediction/ for data/)")
    add("--skip-train", action="store_true", help="use the model that is there")
    add("--score-only", type=Path, nargs="?", const=True, help="neither train nor infer")
    add("--panel", choices=PANEL_KINDS, default="variable", help="genes to score on")
    add("--panel-genes", type=int, default=1000, help="genes on a panel (default: 1000)")
    add("--panel-draws", type=int, default=3, help="panels to average over (default: 3)")
    add("--scorer", choices=("own", "platform"), default="own", help="whose code scores")
    add("--json", type=Path, metavar="FILE", help="write every number here")
    return parser.parse_args(arguments)


def local_run(args: argparse.Namespace) -> int:
    """Test against the organisers' local ground truth; return the exit status."""
    data, which = choose_data(SUBMISSION, args.data)
    print(which)
    out = args.out if args.score_only in (None, True) else args.score_only
    places = choose_places(SUBMISSION, data, args.model, out)
    scorer = choose_scorer(args.scorer)
    truth = read_local_truth(places.data)
    stages = {} if args.score_only else run_stages(places, truth, skip_train=args.skip_train)
    panels = local_panels(places.data, truth, args.panel, args.panel_genes, args.panel_draws)
    run = check_and_score(places, truth, stages, panels, scorer)
    print(describe(run))
    if args.json:
        args.json.write_text(json.dumps(as_json(run), indent=1) + "\n")
    return 1 if run.faults else 0


def main(arguments: list[str] | None = None) -> int:
    """Run, and say in one sentence what is wrong with the input."""
    try:
        return local_run(parse(arguments))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
