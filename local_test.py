"""Test the submission on this machine: train, infer, check, score, compare.

    python local_test.py                     what `crunch test` does, checked and scored
    python local_test.py --skip-train        with the model of the last run
    python local_test.py --score-only DIR    a prediction directory that exists
    python local_test.py --cv 5 --report report --json cv.json
                                             is a change real? cross-validation on all knock-outs
    python local_test.py --cv 5 --whole      the same for any code: train() and infer() fold by fold
    python local_test.py --cv 5 --against DIR
                                             push or not? against another copy of the repository
    python local_test.py --preflight         all that can be known before a push

Folds of --whole lie in $TMPDIR or data/local_run/, which push does not send, and are gone at the
end; what a killed run left there the next run of this command removes.
Exit status: 0; 1 if the platform would reject the submission or a push would fail; 2 if the run
failed or was called wrongly; 130 after Ctrl-C; 141 if the reader of the output went away; after
another signal 128 and its number.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from evaluation.command import ending
from evaluation.crossval import fast, result
from evaluation.crossval.contenders import PARTS, given_contenders
from evaluation.crossval.folds import Settings
from evaluation.local import run as local_run
from evaluation.local.places import choose_data, choose_places
from evaluation.preflight.findings import describe_findings, has_fault
from evaluation.preflight.run import preflight
from evaluation.report.crossval import write_report
from evaluation.report.page import PAGE
from evaluation.scoring.panels import PANEL_KINDS
from evaluation.tables import write_json
from evaluation.whole import run as whole_run
from evaluation.whole.submission import find_submission
from perturbation.competition import CELLS_PER_PERTURBATION as FEWEST
from perturbation.errors import InputError
from perturbation.files import check_writable, remove_leftovers

SUBMISSION = Path(__file__).resolve().parent


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    add = parser.add_argument
    add("--data", type=Path, help="data directory (default: data/ if filled, else data/demo)")
    add("--model", type=Path, help="model directory (default: resources/ for data/)")
    add("--out", type=Path, help="prediction directory (default: prediction/ for data/)")
    add("--skip-train", action="store_true", help="use the model that is there")
    add("--score-only", type=Path, nargs="?", const=True, help="neither train nor infer")
    add("--scorer", choices=("own", "platform"), help="whose code scores (default: own)")
    add("--panel", choices=PANEL_KINDS, default="variable", help="genes to score on")
    add("--panel-genes", type=_positive, default=1000, help="genes on a panel (default: 1000)")
    add("--panel-draws", type=_positive, default=3, help="panels to average (default: 3)")
    add("--preflight", action="store_true", help="look for all that would make a push fail")
    add("--cv", type=_positive, metavar="K", help="cross-validate with K folds")
    add("--repeats", type=_positive, help="deal the folds so often (default: 3; --whole: 1)")
    several: dict[str, Any] = {"action": "append", "default": [], "metavar": "MODULE:NAME"}
    add("--predictor", **several, help="compare these centroids too, the own transcript set")
    add("--bare", action="store_true", help="do not set the own transcript for --predictor")
    add("--cells", **several, help="compare these cells too")
    add("--proportions", **several, help="compare these proportions too")
    add("--features", action="append", default=[], metavar="FILE", help="and these gene features")
    add("--whole", action="store_true", help="run train() and infer() themselves, on folds on disk")
    add("--against", type=Path, metavar="DIR", help="--whole, compared with that submission")
    add("--cells-per-perturbation", type=_positive, metavar="N", help="--whole with so many cells")
    add("--report", type=Path, metavar="DIR", help="write a page about the cross-validation")
    add("--jobs", type=_positive, help="processes for the folds (default: 1)")
    add("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster for the folds")
    add("--json", type=Path, metavar="FILE", help="write every number here")
    args = parser.parse_args(arguments)
    parts = [*PARTS, "bare", "features", "jobs", "dask"]

    def refuse(names: list[str], why: str) -> None:
        if given := [name for name in names if getattr(args, name)]:
            parser.error(f"--{given[0].replace('_', '-')} {why}")

    if args.cv:
        refuse(["out", "skip_train", "score_only", "scorer"], "does not go with --cv")
    else:
        refuse([*parts, "repeats", "report", "whole", "against"], "needs --cv")
    args.whole = args.whole or args.against is not None
    if args.whole:
        refuse([*parts, "model"], "does not go with --whole, which runs what would be pushed")
    if args.cells_per_perturbation and not (args.whole and args.cells_per_perturbation >= FEWEST):
        parser.error(f"--cells-per-perturbation needs --whole, and a number from {FEWEST}")
    if args.preflight and args != parser.parse_args(["--preflight"]):
        parser.error("--preflight goes with no other option")
    args.panels = args.panel, args.panel_genes, args.panel_draws
    return args


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def run_submission(args: argparse.Namespace, data: Path) -> dict[str, Any]:
    """Test against the organisers' local ground truth; return every number."""
    out = args.out if args.score_only in (None, True) else args.score_only
    if isinstance(args.score_only, Path) and not args.score_only.is_dir():
        raise InputError(f"--score-only: {args.score_only} is no directory. Give a prediction's.")
    places = choose_places(SUBMISSION, data, args.model, out)
    stages = {"trains": not (args.skip_train or args.score_only), "infers": not args.score_only}
    result = local_run.run(places, args.panels, args.scorer, **stages)
    print(local_run.describe(result))
    return result


def cross_validate(args: argparse.Namespace, data: Path) -> dict[str, Any]:
    """Compare submissions on knock-outs held out of training; return every number."""
    n_repeats = args.repeats or (1 if args.whole else 3)
    settings = Settings(args.cv, n_repeats, args.panels, pictures=args.report is not None)
    if args.whole:  # what push would send
        judged = [find_submission("submission", SUBMISSION)]
        if args.against:
            judged.insert(0, find_submission(str(args.against), args.against.resolve()))
        found = whole_run.run(data, judged, settings, args.cells_per_perturbation)
    else:  # parts: fit() and predict() are called here, on what was read once
        given = {part: getattr(args, part) for part in (*PARTS, "features")}
        contenders = given_contenders(given, own_transcript=not args.bare)
        model = args.model or SUBMISSION / "resources"
        workers = args.dask or args.jobs or 1
        found = fast.run(data, model, contenders, settings, workers)
    print(result.describe(found))
    if args.report:
        print("Report:", write_report(found, args.report))
    return result.as_json(found)


def main(arguments: list[str] | None = None) -> int:
    """Run, and say in one sentence what is wrong with the input."""
    args = parse(arguments)
    return ending(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Do what the command line asks for; return the exit status."""
    remove_leftovers(whole_run.work_place())
    if args.preflight:
        findings = preflight(SUBMISSION)
        print(describe_findings(findings))
        return 1 if has_fault(findings) else 0
    for file in (args.json, args.report and args.report / PAGE):
        if file:
            check_writable(file)
    data, which = choose_data(SUBMISSION, args.data)
    print(which)
    result = cross_validate(args, data) if args.cv else run_submission(args, data)
    if args.json:
        write_json(args.json, result)
    return 1 if result.get("faults") else 0


if __name__ == "__main__":
    sys.exit(main())
