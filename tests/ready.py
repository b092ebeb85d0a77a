"""Commands in forks of one process that has imported what they need: see `tests.ready_server`."""

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

SERVER = Path(__file__).with_name("ready_server.py")


@dataclass(frozen=True)
class Command:
    """What a process is given: the words behind `gptdoctor`, and where and with what it runs."""

    words: Sequence[str]
    folder: Path
    variables: Mapping[str, str]
    stdin: bytes = b""


def run_ready(command: Command, seconds: float) -> tuple[int, bytes, bytes]:
    """The exit code of a command and what it prints, as if it had run in a process of its own."""
    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(command.stdin)
        given.seek(0)
        line = _line()
        _ask(line, command, [each.fileno() for each in (given, out, err)])
        code = _end(line, _number(line), seconds)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


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
        raise subprocess.TimeoutExpired("gptdoctor", seconds) from None


@cache
def _line() -> socket.socket:
    """The line to the server of this process, which is started when it is first asked for."""
    ours, theirs = socket.socketpair()
    subprocess.Popen(
        [sys.executable, "-P", str(SERVER), str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SERVER.parents[1]), "COLUMNS": "100", "NO_COLOR": "1"},
    )
    theirs.close()
    return ours


def _number(line: socket.socket) -> int:
    """The next line, which is a number."""
    data = b""
    while not data.endswith(b"\n"):
        more = line.recv(1)
        if not more:
            raise RuntimeError("the process that runs the commands has ended")
        data += more
    return int(data)
