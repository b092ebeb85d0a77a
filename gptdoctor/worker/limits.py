"""Limits of memory, where the system keeps them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from gptdoctor.core.measurements.crash import tells_of_memory

# Linux kills the process with the highest score first when memory runs out; this is the highest.
_OOM_SCORE = "1000"
# Without a number of the user's: room for a large model that is built by mistake to fail here,
# before the machine runs out of memory.
_SHARE_OF_THE_MACHINE = 2
_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def kept_limits() -> frozenset[str]:
    """Which limits this system keeps: "memory"."""
    # macOS and others have the call and do not heed it; only Linux tells what is mapped already.
    with suppress(ImportError):
        import resource

        if hasattr(resource, "RLIMIT_AS") and Path("/proc/self/statm").exists():
            return frozenset({"memory"})
    return frozenset()


def limit_memory(memory_bytes: int | None) -> None:
    """Let what asks for more fail in this process: by default more than half of the machine's.

    The limit is above what is mapped already, which with torch's libraries can be some GiB of
    addresses.
    """
    if "memory" not in kept_limits():
        return
    import resource

    with suppress(OSError, ValueError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    with suppress(OSError, ValueError, OverflowError):  # more than can be counted is no limit
        limit = _mapped() + (memory_bytes or _default_bytes())
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def memory_lack(memory_bytes: int | None, *errors: str) -> str:
    """What a model needed more of, where the limit is behind one of these errors; else ""."""
    if not any(map(tells_of_memory, errors)):
        return ""
    limit = memory_bytes or _default_bytes()
    size, unit = next((one for one in _UNITS if limit >= one[0]), (1, "bytes"))
    return f"more than {limit / size:.4g} {unit} of memory, the limit of each model (--memory)"


def _mapped() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _default_bytes() -> int:
    if sys.platform == "win32":  # it has no sysconf, and keeps no limit either
        return 2**63
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _SHARE_OF_THE_MACHINE
