"""Imports for many children in a copy of the fork server, with the original standing by.

An import of a stranger's package may hang, crash, start threads or change what it likes.  So the
server forks: the copy imports, and serves in the place of the original, which has imported
nothing and waits.  A copy that fails is killed, and what it was importing is left to the children;
one that is asked for other packages ends, and the original goes on.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import _exit
from select import select
from time import monotonic
from typing import NoReturn

from gptdoctor.worker import processes

# transformers takes 3 s, and 15 s on a busy machine; what needs longer than a model may take by
# default is waiting for something.
IMPORT_SECONDS = 60.0
# One or two packages do harm; with more there is little to win.
_MOST_TRIES = 3
# Exit status of a copy that ends so that the original can go on.
RELEASED = 85
_DONE = b"done"


@dataclass(frozen=True, kw_only=True)
class Preloaded:
    """What has become of the process that returns from `preload`."""

    copy: bool  # it is a copy, and has imported what was wanted but for what failed
    failed: tuple[str, ...]  # what did harm
    ended: int | None = None  # the status of the copy that served in the place of this original


def preload(modules: Sequence[str], control: int) -> Preloaded:
    """Import modules in a copy of this process, and return there.

    The original returns when no copy succeeds, when the copy has ended, or as soon as `control`
    can be read while the copy imports: then nobody waits for it any more.
    """
    failed: list[str] = []
    for _ in range(_MOST_TRIES):
        wanted = [each for each in modules if each not in failed]
        if not wanted:
            break
        reader, writer = os.pipe()
        original, copy = os.getpid(), os.fork()
        if copy == 0:
            os.close(reader)
            _import_all(wanted, writer, original)
            return Preloaded(copy=True, failed=tuple(failed))
        os.close(writer)
        culprit = _watch(reader, control, wanted)
        os.close(reader)
        if culprit is None:
            _, status = os.waitpid(copy, 0)
            return Preloaded(copy=False, failed=(), ended=status)
        _end(copy)
        if not culprit:
            break
        failed.append(culprit)
    return Preloaded(copy=False, failed=tuple(modules))


def released(status: int) -> bool:
    """Whether a copy ended so that its original can go on."""
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == RELEASED


def end_like(status: int) -> NoReturn:
    """End this process as another one ended: whoever waits for the one waits for both."""
    if os.WIFSIGNALED(status):
        with suppress(OSError, ValueError):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)  # SIGKILL needs none
        os.kill(os.getpid(), os.WTERMSIG(status))
    _exit(os.WEXITSTATUS(status))


def _import_all(modules: Sequence[str], writer: int, original: int) -> None:
    """Import in the copy; it goes on only if it is as fit to be forked as the original was."""
    try:
        processes.die_with_parent(original)
        processes.adopt_orphans()
        before = threads()
        for index, module in enumerate(modules):
            os.write(writer, b"%d\n" % index)
            _import(module)
            if threads() > before:
                _give_up()
        gc.freeze()  # as in the original: pages that nobody touches stay shared
        os.write(writer, _DONE)
        os.close(writer)
    except BaseException:
        # It may have left half of a package behind, which a child would not find in a plain run.
        _give_up()


def _give_up() -> NoReturn:
    """End the copy with all that its imports have started: nobody could tell later whose it is."""
    processes.kill(processes.descendants(os.getpid()))
    _exit(1)


def _import(wanted: str) -> None:
    """Do what `import module` or `from module import name` does."""
    module, _, name = wanted.partition(":")
    found = __import__(module, fromlist=[name] if name else [])
    if name:
        getattr(found, name, None)  # lazy packages load what is asked for


def threads() -> int:
    """The threads of this process, those that Python does not know of included."""
    with suppress(OSError):
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208  no Path for each of them
    return threading.active_count()


def _watch(reader: int, control: int, modules: Sequence[str]) -> str | None:
    """None when the copy has imported all; else what it failed at, "" where nobody wants it."""
    said = b""
    deadline = monotonic() + IMPORT_SECONDS
    while True:
        readable, _, _ = select([reader, control], [], [], max(0.0, deadline - monotonic()))
        if control in readable:
            return ""
        data = os.read(reader, 4096) if readable else b""
        said += data
        if said.endswith(_DONE):
            return None
        if not data:
            lines = said.split()
            return modules[int(lines[-1])] if lines else modules[0]


def _end(copy: int) -> None:
    processes.kill([copy, *processes.descendants(copy)])
    with suppress(ChildProcessError):
        os.waitpid(copy, 0)
