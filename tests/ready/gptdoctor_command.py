"""What `tests.ready.server` becomes for commands: `gptdoctor`, and the fork servers that it starts.

A fork server is a fork of the command, and finds what it would find in a process of its own, or a
test would be of something else: see `_serve`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import gptdoctor
from gptdoctor.probes.instruments.aside import import_aside
from gptdoctor.specimen.loaded_files import loaded_files
from gptdoctor.worker import forkserver, link
from gptdoctor.worker.prepare_torch import Run, prepare_torch
from gptdoctor.worker.protocol import Ready

MOST_DESCRIPTORS = 4096  # more than any test opens
IN_OWN_PROCESS = link.Link._start
PREPARED: list[tuple[Ready, Run]] = []  # what a fork server has once it has imported torch


def import_all() -> None:
    """What a command may need, and what a fork server has imported before it serves."""
    PREPARED.append(prepare_torch("/nowhere"))
    import_aside()  # as a fork server does before the second of its models
    for module in pkgutil.walk_packages(gptdoctor.__path__, "gptdoctor."):
        if not module.name.startswith(("gptdoctor.__main__", "gptdoctor.integrations")):
            importlib.import_module(module.name)


def run(words: list[str]) -> None:
    """`python -m gptdoctor WORDS`, or what is `examined` of a folder."""
    link.Link._start = _in_a_fork  # type: ignore[method-assign]
    sys.path.insert(0, str(Path.cwd()))
    if words[0] == "examined":
        _print_examined(*words[1:])
        return
    sys.argv[1:] = words
    runpy.run_module("gptdoctor", run_name="__main__", alter_sys=True)


def _print_examined(folder: str, root: str) -> None:
    """The document of `tests.commands.examined`."""
    from gptdoctor.checkup import Checkup
    from gptdoctor.config import Options
    from gptdoctor.report.json_document import to_document

    files = Path(folder).rglob("*.py")
    paths = frozenset(file.relative_to(root).as_posix() for file in files)
    target = Path(folder).relative_to(root).as_posix()
    with Checkup(Options(targets=(target,), cache=False), Path(root)) as checkup:
        json.dump(to_document(checkup.examine(paths=paths)), sys.stdout)


class _Forked:
    """As much of a `Popen` as a link asks of its server."""

    def __init__(self, process: int) -> None:
        self.pid = process
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            known, status = os.waitpid(self.pid, 0 if end is None else os.WNOHANG)
            if known:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("a fork", timeout or 0.0)
            else:
                time.sleep(0.001)
        return self.returncode

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


def _in_a_fork(self: link.Link, root: str, control: int, replies: int) -> Any:
    """Start a fork server by becoming one, where it is our own Python that runs the models."""
    if self._python != sys.executable:
        return IN_OWN_PROCESS(self, root, control, replies)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else what waits there is said twice
    process = os.fork()
    if process:
        return _Forked(process)
    try:
        _serve(self, root, control, replies)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _serve(said: link.Link, root: str, control: int, replies: int) -> NoReturn:
    """What a process of its own would be: no ends but its own, no handlers, none of our names."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, standard in ((nothing, 0), (said._said.fileno(), 1), (said._said.fileno(), 2)):
        os.dup2(source, standard)
    gc.set_threshold(700, 10, 10)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    keep = sorted((control, replies))
    for low, high in zip([2, *keep], [*keep, MOST_DESCRIPTORS], strict=True):
        os.closerange(low + 1, high)
    os.environ.update(link._SERVER_VARIABLES)
    sys.dont_write_bytecode = True
    sys.argv[:] = [str(link._BOOTSTRAP), root, str(control), str(replies)]
    del sys.path[0]
    sys.modules["__main__"] = ModuleType("__main__")
    vars(forkserver)["prepare_torch"] = _prepared
    forkserver.serve(control, replies, root)


def _prepared(root: str) -> tuple[Ready, Run]:
    """What `prepare_torch` gives: threads, which it sets, can be set only once."""
    loaded_files(root)  # each child asks, and finds the answers in memory
    return PREPARED[0]
