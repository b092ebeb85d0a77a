"""The parent's end of the line to one fork server: start it, write, read, and leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import TypeVar

from gptdoctor.core.errors import ProtocolError
from gptdoctor.worker import processes
from gptdoctor.worker.protocol import (
    Preload,
    Prepared,
    Ready,
    Request,
    Stop,
    decode_reply,
    encode,
    split_reply,
)

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
# Importing torch takes 1.5 s, from a cold network disk up to a minute; this is well above.
_START_SECONDS = 180.0
# The server gives up after three imports that hang, 60 s each.
_PREPARE_SECONDS = 210.0
# The server kills its jobs and exits within milliseconds; one that does not is killed itself.
_CLOSE_SECONDS = 2.0
_READ_BYTES = 1024 * 1024
_SERVER_VARIABLES = {
    "PYTHONDONTWRITEBYTECODE": "1",
    # macOS ends a forked process that touches Objective-C, as numpy's Accelerate does, and reads
    # this when a process starts.
    "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
}

_Awaited = TypeVar("_Awaited", Ready, Prepared)


class LinkClosedError(Exception):
    """The fork server is gone; the text says what is known of why."""


class Link:
    """A fork server, started at once and not waited for."""

    patience_seconds = 0.0  # a job starts as soon as it is sent

    def __init__(self, python: str, root: str) -> None:
        self._python = python
        self._ready: Ready | None = None
        self._partial = b""
        # What the server itself prints: the last line tells why it could not start.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  open for as long as the link is
        server_control, self._control = os.pipe()
        self._replies, server_replies = os.pipe()
        self._selector = DefaultSelector()
        self._selector.register(self._replies, EVENT_READ)
        self._server = self._start(root, server_control, server_replies)
        os.close(server_control)
        os.close(server_replies)

    def ready(self) -> Ready:
        """What the interpreter can do, as soon as it has said so."""
        if self._ready is None:
            try:
                self._ready = self._await(Ready, _START_SECONDS)
            except (LinkClosedError, ProtocolError) as error:
                self._ready = unusable(self._python, f"cannot run models ({error})")
        return self._ready

    def send(self, request: Request) -> None:
        """Write one request.  The server reads at any time, so this does not block for long."""
        line = encode(request)
        try:
            while line:
                line = line[os.write(self._control, line) :]
        except BrokenPipeError:
            raise LinkClosedError(self._obituary()) from None

    def receive(self, seconds: float) -> list[bytes]:
        """The whole lines that have come; none after `seconds` without a word."""
        if not self._selector.select(max(0.0, seconds)):
            return []
        data = os.read(self._replies, _READ_BYTES)
        if not data:
            raise LinkClosedError(self._obituary())
        *lines, self._partial = (self._partial + data).split(b"\n")
        return lines

    def prepare(self, modules: tuple[str, ...]) -> tuple[str, ...]:
        """Have installed modules imported ahead, when no job runs; returns those that failed."""
        self.send(Preload(modules=modules))
        return self._await(Prepared, _PREPARE_SECONDS).failed

    def close(self) -> None:
        """End the server and all that it started; safe to call again."""
        if self._said.closed:
            return
        server = self._server
        if server is not None:
            if self._ready is not None:  # before that it imports torch, and has no children
                with suppress(LinkClosedError, subprocess.TimeoutExpired):
                    self.send(Stop())
                    server.wait(_CLOSE_SECONDS)
            below = processes.descendants(server.pid)
            server.kill()
            processes.kill(below)
            server.wait()
        self._selector.close()
        os.close(self._control)
        os.close(self._replies)
        self._said.close()

    def _start(self, root: str, control: int, replies: int) -> subprocess.Popen[bytes] | None:
        try:
            return subprocess.Popen(  # noqa: S603  the interpreter that the user chose
                [self._python, str(_BOOTSTRAP), root, str(control), str(replies)],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=(control, replies),
                env={**os.environ, **_SERVER_VARIABLES},
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
        except OSError as error:
            self._ready = unusable(self._python, f"cannot be started ({error.strerror})")
            return None

    def _await(self, kind: type[_Awaited], seconds: float) -> _Awaited:
        """The reply of this kind; others are not expected before it, and are dropped."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            for line in self.receive(deadline - monotonic()):
                message = decode_reply(split_reply(line)[1])
                if isinstance(message, kind):
                    return message
        raise LinkClosedError(f"it had not answered after {seconds:g} s")

    def _obituary(self) -> str:
        """How the server ended, in the last words that it printed, or else by its status."""
        if self._server is None:
            return "it was never started"
        with suppress(subprocess.TimeoutExpired):
            self._server.wait(_CLOSE_SECONDS)
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        code = self._server.returncode
        if code is not None and code < 0:
            return f"it was killed by {signal.Signals(-code).name}"
        return said[-1] if said else f"it ended with status {code}"


def unusable(python: str, why: str) -> Ready:
    """What is said in the place of an interpreter that cannot say it."""
    error = f"{python} {why}: choose another interpreter with --python"
    return Ready(torch=None, python="", error=error)
