"""The other end of `tests.ready.server`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Command:
    """What a process is given: of which kind it is, its words, and where and with what it runs."""

    kind: str  # the name of a file beside this one
    words: Sequence[str]
    folder: Path
    variables: Mapping[str, str]
    stdin: bytes = b""


def run_ready(command: Command, seconds: float) -> tuple[int, str, str]:
    """The exit code of a command and what it prints, as if it had run in a process of its own."""
    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(command.stdin)
        given.seek(0)
        line = _line(command.kind, command.variables["PYTHONPATH"])
        _ask(line, command, [each.fileno() for each in (given, out, err)])
        code = _end(line, _number(line), seconds)
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(), err.read().decode()


def _ask(line: socket.socket, command: Command, ends: list[int]) -> None:
    asked = {
        "words": list(command.words),
        "folder": str(command.folder),
        "variables": dict(command.variables),
    }
    data = json.dumps(asked).encode() + b"\n"
    line.settimeout(None)
    sent = socket.send_fds(line, [data], ends)
    line.sendall(data[sent:])


def _end(line: socket.socket, process: int, seconds: float) -> int:
    """The exit code of the process, which is killed where it takes too long."""
    line.settimeout(seconds)
    try:
        return _number(line)
    except TimeoutError:
        os.kill(process, signal.SIGKILL)
        line.settimeout(None)
        _number(line)
        raise subprocess.TimeoutExpired("a command", seconds) from None


@cache
def _line(kind: str, path: str) -> socket.socket:
    """The line to a server, which is started when it is first asked for in this process."""
    ours, theirs = socket.socketpair()
    subprocess.run(
        [sys.executable, "-P", HERE / "server.py", str(theirs.fileno()), HERE / f"{kind}.py"],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "NO_COLOR": "1"},
        check=True,
    )
    theirs.close()
    return ours


def _number(line: socket.socket) -> int:
    """The next line, which is a number."""
    data = b""
    while not data.endswith(b"\n"):
        more = line.recv(1)
        if not more:
            raise RuntimeError("the process that becomes others has ended")
        data += more
    return int(data)
