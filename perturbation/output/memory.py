"""How much memory this process may still take."""

from pathlib import Path

import psutil

CGROUP_FILES = (
    ("memory.max", "memory.current"),  # version 2
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),  # version 1
)


def available_memory(cgroup_root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that are free on the machine and, in a container, below the cgroup's limit."""
    available = psutil.virtual_memory().available
    for limit_name, usage_name in CGROUP_FILES:
        try:
            limit = int((cgroup_root / limit_name).read_text())
            usage = int((cgroup_root / usage_name).read_text())
        except (OSError, ValueError):  # no such cgroup, or its limit is the word "max"
            continue
        available = min(available, max(limit - usage, 0))
    return available
