"""A few of the faults of benchmarks/faults.py: kills, Ctrl-C, full disks, failing writes."""

import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.faults import COMMANDS, DEAR, STAGES
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the faults are those of Linux"),
    pytest.mark.skipif(
        np.__version__ < "2", reason="the OpenBLAS in numpy 1.26 asks for refused memory for ever"
    ),
]


def test_nothing_is_lost_when_a_run_is_killed_interrupted_or_starved():
    cheap = [*STAGES[:2], *(name for name in COMMANDS if name not in DEAR)]
    command = [sys.executable, "-m", "benchmarks.faults", "--tries", "3", "--only", *cheap]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    rows = re.findall(r"^(\S.*?) +(\d+) / (\d+)", run.stdout, re.MULTILINE)
    assert len(rows) >= 3 * len(cheap), run.stderr
    # How libraries below Python end when memory is refused differs from machine to machine.
    ours = [row for row in rows if "memory refused" not in row[0]]
    assert [row for row in ours if row[1] != row[2]] == []
    assert run.returncode == any(survived != tried for _, survived, tried in rows)
    killed = [int(tried) for name, _, tried in rows if "killed" in name or "Ctrl-C" in name]
    assert min(killed) >= 3
