"""What a check before a push found, one sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FAULT, WARNING, FINE = "FAULT", "Warning", "ok"


class Finding(NamedTuple):
    """One thing that was looked at; `level` is FAULT, WARNING or FINE."""

    level: str
    text: str


def has_fault(findings: Sequence[Finding]) -> bool:
    """Whether one of them stands in the way of a push."""
    return any(finding.level == FAULT for finding in findings)


def describe_findings(findings: Sequence[Finding]) -> str:
    """Return the findings as text, and what they come to."""
    n_faults = sum(finding.level == FAULT for finding in findings)
    lines = [f"{finding.level + ':':<9}{finding.text}" for finding in findings]
    verdict = f"Faults: {n_faults}. Do not push yet." if n_faults else "Ready to push."
    return "\n".join([*lines, verdict])
