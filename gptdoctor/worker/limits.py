"""Limits of memory, where the system keeps them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash

# Linux kills the process with the highest score first when memory runs out; this is the highest.
_OOM_SCORE = "1000"
# Without a number of the user's: room for a large model that is built by mistake to fail here,
# before the machine runs out of memory.
_SHARE_OF_THE_MACHINE = 2
_WORDS = ("MemoryError", "allocate memory", "out of memory")  # Python's, torch's, CUDA's


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
    with suppress(OSError, ValueError):
        limit = _mapped() + (memory_bytes or _default_bytes())
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def memory_lack(memory_bytes: int | None, said: Construction | Crash | None) -> str:
    """What a model needed more of, where the limit stopped its import or its construction."""
    if isinstance(said, Construction):
        texts = [*said.tried, f"{said.crash.kind}: {said.crash.message}" if said.crash else ""]
    else:
        texts = [] if said is None else [f"{said.kind}: {said.message}"]
    if not any(word in text for text in texts for word in _WORDS):
        return ""
    limit = memory_bytes or _default_bytes()
    size = f"{limit / 2**30:.3g} GiB" if limit >= 2**30 else f"{limit / 2**20:.4g} MiB"
    return f"more than {size} of memory, the limit of each model (--memory)"


def _mapped() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _default_bytes() -> int:
    if sys.platform == "win32":  # it has no sysconf, and keeps no limit either
        return 2**63
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _SHARE_OF_THE_MACHINE
