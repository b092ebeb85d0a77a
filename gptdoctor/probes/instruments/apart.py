"""Work in a copy of this process: what it allocates, changes or breaks is gone with it."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

Send = Callable[[Any], None]
_LENGTH = 8  # bytes before each message


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the copy may use."""

    seconds: float  # of the clock: the last resort, for a copy that sleeps or waits
    processor_seconds: int  # the same on a busy machine as on a quiet one
    memory_bytes: int  # above what is mapped already; only Linux keeps to it


def run_apart(work: Callable[[Send], None], limits: Limits) -> tuple[list[Any], str]:
    """What `work` sent, and why it ended early, "" where it did not.

    Without fork the work is done here, and nothing limits it.
    """
    if not hasattr(os, "fork"):
        sent: list[Any] = []
        work(sent.append)
        return sent, ""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _be_the_copy(work, writing, limits)
    os.close(writing)
    try:
        data, in_time = _read(reading, time.monotonic() + limits.seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
    messages = _messages(data)
    if messages and messages[-1] is None:  # the word that all is done
        return messages[:-1], ""
    return messages, _ending(status, limits) if in_time else f"it took over {limits.seconds:g} s"


def _be_the_copy(work: Callable[[Send], None], descriptor: int, limits: Limits) -> NoReturn:
    """Do the work, and leave without any of what a process does at its end."""
    status = 1
    try:
        gc.disable()  # the copy ends before garbage counts, and looking for it takes its time
        _limit(limits)
        _fall_silent()

        def send(message: Any) -> None:
            # Both ends run the user's code with the same rights: pickle gives nothing away.
            data = pickle.dumps(message)
            data = len(data).to_bytes(_LENGTH, "big") + data
            while data:
                data = data[os.write(descriptor, data) :]

        work(send)
        send(None)
        status = 0
    finally:
        os._exit(status)


def _fall_silent() -> None:
    """Let nothing be printed: it was printed before by the specimen, or would puzzle the user."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for standard in (1, 2):
        os.dup2(nothing, standard)
    sys.stdout = sys.stderr = os.fdopen(nothing, "w")


def _limit(limits: Limits) -> None:
    """Keep to the limits, where the system has them."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        seconds = limits.processor_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        if sys.platform == "linux":
            mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf(
                "SC_PAGE_SIZE"
            )
            resource.setrlimit(resource.RLIMIT_AS, (mapped + limits.memory_bytes,) * 2)


def _read(descriptor: int, end: float) -> tuple[bytes, bool]:
    """All that is written until the other end is closed, and whether that was in time."""
    data = b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return data, False
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return data, True
        data += chunk


def _messages(data: bytes) -> list[Any]:
    """The whole messages in what was read; the last one may have been cut off."""
    found = []
    while len(data) >= _LENGTH:
        length = int.from_bytes(data[:_LENGTH], "big")
        body, data = data[_LENGTH : _LENGTH + length], data[_LENGTH + length :]
        if len(body) < length:
            break
        found.append(pickle.loads(body))  # noqa: S301 - written by a copy of this very process
    return found


def _ending(status: int, limits: Limits) -> str:
    """Why the copy ended, in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == getattr(signal, "SIGXCPU", None):
            return f"it took over {limits.processor_seconds} s"
        return f"the process was ended by {signal.Signals(number).name}"
    return "the process ended itself"
