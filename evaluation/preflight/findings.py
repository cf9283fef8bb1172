"""What a check before a push found, one sentence each, under three verdicts."""

from collections.abc import Sequence
from typing import NamedTuple

REFUSED = "Refused by the client"
FAULT = "Would fail or go wrong in the cloud"
WARNING = "Worth a look"
FINE = "As it should be"


class Finding(NamedTuple):
    """One thing that was looked at; `level` is REFUSED, FAULT, WARNING or FINE."""

    level: str
    text: str


def has_fault(findings: Sequence[Finding]) -> bool:
    """Whether one of them stands in the way of a push."""
    return any(finding.level in (REFUSED, FAULT) for finding in findings)


def describe_findings(findings: Sequence[Finding]) -> str:
    """Return the findings as text, by verdict, and what they come to."""
    lines = []
    for level in (REFUSED, FAULT, WARNING, FINE):
        texts = [f"  - {text}" for found, text in findings if found == level]
        lines += [f"{level}:", *texts] if texts else []
    n_faults = sum(finding.level in (REFUSED, FAULT) for finding in findings)
    verdict = f"Not ready to push: faults {n_faults}." if n_faults else "Ready to push."
    return "\n".join([*lines, verdict])
