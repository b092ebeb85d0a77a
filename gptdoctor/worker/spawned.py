"""One interpreter that examines one model, as the parent sees it."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from time import monotonic
from typing import IO

import psutil

from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.measurements.record import Ending
from gptdoctor.worker import processes
from gptdoctor.worker.job import FINISHED, OUTPUT_BYTES, ending_of
from gptdoctor.worker.protocol import Ready, decode_reply

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
# What a dead process printed last is read within microseconds, unless another holds the pipe.
_LAST_WORDS_SECONDS = 1.0
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Word:
    """What a process says: that it is ready, a line, or, with neither, that it has ended."""

    speaker: Spawned
    ready: Ready | None = None
    line: bytes | None = None


class Spawned:
    """The process, the threads that listen to it, and what is known of its job."""

    def __init__(self, python: str, root: str, words: Queue[Word]) -> None:
        """Start it; raises OSError."""
        self.job = 0
        self.limit_seconds = 0.0
        self.deadline = float("inf")
        self.request = b""  # waits until the interpreter is ready
        self.is_ready = False
        self.stopped = ""  # why it was killed
        self.printed = bytearray()
        self.seconds = 0.0
        self._began = monotonic()
        self._finished = False
        self._words = words
        self._popen = subprocess.Popen(  # noqa: S603  the interpreter that the user chose
            [python, str(_BOOTSTRAP), root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,  # Ctrl-C is the parent's to handle; where there are sessions
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # and elsewhere
        )
        self._printing = Thread(target=self._collect, daemon=True)
        self._telling = Thread(target=self._listen, daemon=True)
        self._printing.start()
        self._telling.start()

    @property
    def process(self) -> int:
        """Its number; it leads a process group of this number, where there are such."""
        return self._popen.pid

    def begin(self, request: bytes) -> None:
        """Hand over the job; its time begins."""
        self.request = b""
        self._began = monotonic()
        self.deadline = self._began + self.limit_seconds
        with suppress(OSError):  # it is dead, and `_listen` will say so
            stdin = self._pipe(self._popen.stdin)
            stdin.write(request)
            stdin.flush()

    def kill(self, why: str) -> None:
        """End the process and all that descends from it."""
        self.stopped = self.stopped or why
        _kill_tree(self._popen)

    def forget(self) -> None:
        """Take in its exit, so that no zombie stays, and close what leads to it."""
        self._popen.wait()
        self._printing.join(_LAST_WORDS_SECONDS)
        self.seconds = self.seconds or monotonic() - self._began
        with suppress(OSError):
            self._pipe(self._popen.stdin).close()

    def ending(self) -> Ending:
        """How it ended."""
        code = self._popen.returncode
        return ending_of(code, self.stopped, self.limit_seconds, finished=self._finished)

    def obituary(self) -> str:
        """Its last words, or else its status."""
        lines = self.printed.decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said else f"it ended with status {self._popen.returncode}"

    def _listen(self) -> None:
        """Pass on all lines, then the end; in a thread of its own."""
        stdout = self._pipe(self._popen.stdout)
        for line in stdout:
            if line == FINISHED:
                # It waits to be ended: alive it still leads to all that it has started.
                self._finished = True
                _kill_tree(self._popen)
            elif not self.is_ready:
                self._words.put(self._first(line))
            elif line.endswith(b"\n"):
                self._words.put(Word(speaker=self, line=line))
        stdout.close()
        self._popen.wait()
        processes.kill_group(self._popen.pid)
        self.seconds = monotonic() - self._began
        self._words.put(Word(speaker=self))

    def _first(self, line: bytes) -> Word:
        with suppress(ProtocolError):
            message = decode_reply(line)
            if isinstance(message, Ready):
                self.is_ready = not message.error
                return Word(speaker=self, ready=message)
        return Word(speaker=self, line=line)

    def _collect(self) -> None:
        """Keep the beginning of what is printed, and read the rest, so that nothing blocks."""
        stderr = self._pipe(self._popen.stderr)
        while data := os.read(stderr.fileno(), _READ_BYTES):
            self.printed += data[: OUTPUT_BYTES - len(self.printed)]
        stderr.close()

    def _pipe(self, pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # noqa: S101  all three were asked for
        return pipe


def _kill_tree(popen: subprocess.Popen[bytes]) -> None:
    below: list[psutil.Process] = []
    with suppress(psutil.Error):
        below = psutil.Process(popen.pid).children(recursive=True)
    processes.kill_group(popen.pid)
    popen.kill()
    for each in below:
        with suppress(psutil.Error):
            each.kill()
