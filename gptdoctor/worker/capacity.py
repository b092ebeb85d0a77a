"""How many models may be examined at once."""

from __future__ import annotations

import os

import psutil

# What the child of a tiny model holds for itself at its peak: 0.1 to 0.3 GiB above what it shares
# with the fork server, and up to 1 GiB where it imports a large package.
EXPECTED_PEAK_BYTES = 2**30
# Without a fork each child loads torch for itself, which is half a GiB more.
EXPECTED_PEAK_BYTES_ALONE = EXPECTED_PEAK_BYTES * 3 // 2


def jobs_at_once(*, shared: bool) -> int:
    """As many as there are cores, for each computes with one thread, while memory is there.

    `shared`: the children share torch with the process that they are forked from.
    """
    peak = EXPECTED_PEAK_BYTES if shared else EXPECTED_PEAK_BYTES_ALONE
    return max(1, min(_cores(), int(psutil.virtual_memory().available) // peak))


def _cores() -> int:
    """The cores that this process may use; containers are often given fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
