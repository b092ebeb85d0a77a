"""Which processes descend from one of ours, and their end.  POSIX, standard library only.

The fork server runs in the model's interpreter, which need not have psutil.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

# prctl options of <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies, so that none can slip away.

    Linux only: elsewhere a process that leaves its group and outlives its parent is lost sight of.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the process `parent`, that started this one, dies.  Linux only."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(0)  # it was quicker


def _prctl(option: int, value: int) -> None:
    """Ask Linux for a property of this process; nothing elsewhere."""
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(ancestor: int) -> list[int]:
    """The processes below `ancestor`, parents before their children."""
    children = defaultdict(list)
    for process, parent in _parents():
        children[parent].append(process)
    found = list(children[ancestor])
    for process in found:  # grows while it is walked
        found.extend(children[process])
    return found


def kill(processes: Iterable[int]) -> None:
    """End processes, those of them that are still there, without asking."""
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def kill_group(leader: int) -> None:
    """End the process group of this number, if there are groups, and anyone is left in it."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def kill_own_group() -> NoReturn:
    """End this process, at once, and its group with it."""
    kill_group(os.getpid())
    os._exit(0)


def _parents() -> list[tuple[int, int]]:
    """All processes with their parents; zombies, who have no children, are left out."""
    if sys.platform != "linux":
        return _parents_by_ps()
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                # "12 (name) S 1 ...": the name may hold spaces and brackets.
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    found.append((int(entry.name), int(fields[1])))
    return found


def _parents_by_ps() -> list[tuple[int, int]]:
    command = ["/bin/ps", "-A", "-o", "pid=,ppid=,state="]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ps:  # noqa: S603
        rows = [line.split() for line in ps.communicate()[0].splitlines()]
    alive = [(int(row[0]), int(row[1])) for row in rows if row[2][0] != "Z"]
    return [(process, parent) for process, parent in alive if process != ps.pid]
