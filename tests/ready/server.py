"""Import what a kind of process needs, then become such a process in a fork for each request.

    python server.py DESCRIPTOR KIND.py

KIND.py has `import_all()` and `run(words)`.  What runs in a fork must find what it would find in a
process of its own, or a test would be of something else: see `_become`.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib.util
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

MOST_DESCRIPTORS = 4096  # more than any test opens
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def main() -> None:
    """Import, then fork for each request, and tell how each fork ended."""
    if os.fork():
        os._exit(0)  # tests count the processes below their own
    line = socket.socket(fileno=int(sys.argv[1]))
    kind = _loaded(sys.argv[2])
    gc.disable()  # nothing that is imported is garbage
    kind.import_all()
    gc.freeze()  # pages that nobody touches stay shared
    gc.enable()
    while True:
        data, ends, _, _ = socket.recv_fds(line, 1 << 20, 3)
        while data and not data.endswith(b"\n"):
            data += line.recv(1 << 20)
        if not data:
            return
        child = os.fork()
        if child == 0:
            _end_with_the_server()
            _become(kind.run, json.loads(data), ends)
        for each in ends:
            os.close(each)
        line.sendall(b"%d\n" % child)
        _, status = os.waitpid(child, 0)
        line.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _loaded(file: str) -> Any:
    """A module of no name, which nobody finds among those that are loaded."""
    spec = importlib.util.spec_from_file_location("", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _end_with_the_server() -> None:
    with suppress(OSError, AttributeError):  # Linux has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _become(run: Callable[[list[str]], None], asked: dict[str, Any], ends: list[int]) -> NoReturn:
    """Be a process of one's own, with its folder, its variables and the `ends` of its streams."""
    for standard, source in enumerate(ends):
        os.dup2(source, standard)
    os.closerange(3, MOST_DESCRIPTORS)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    code = 1
    try:
        run(asked["words"])
        code = 0
    except SystemExit as end:
        code = _code_of(end)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)  # the interpreter would take torch apart


def _code_of(end: SystemExit) -> int:
    """What the interpreter makes of `sys.exit`."""
    if isinstance(end.code, int):
        return end.code
    if end.code is not None:
        print(end.code, file=sys.stderr)  # noqa: T201  as it does
    return int(end.code is not None)


if __name__ == "__main__":
    main()
