"""One forked child as the fork server sees it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from time import monotonic

from gptdoctor.core.measurements.record import Ending
from gptdoctor.worker import processes
from gptdoctor.worker.protocol import CHANNEL_LOST, OWN_FAULT, Finished, encode

# Of what the user's code prints; the rest is read and thrown away, so that printing never blocks.
OUTPUT_BYTES = 64 * 1024
_PIPE_BYTES = 64 * 1024  # what a pipe holds on Linux: one read empties it
FINISHED = encode(Finished())
# Exit codes by which Windows tells what others tell by a signal (from ntstatus.h).
_CRASHES = {
    0xC0000005: "SIGSEGV",  # access violation
    0xC00000FD: "SIGSEGV",  # stack overflow
    0xC0000409: "SIGABRT",  # abort()
    0xC000001D: "SIGILL",  # illegal instruction
    0xC0000094: "SIGFPE",  # division of integers by zero
}
_BROKEN = {
    CHANNEL_LOST: "the code closed the descriptor that its results go through",
    OWN_FAULT: "gptdoctor's own code failed; the captured output tells where",
}


@dataclass(kw_only=True)
class Job:
    """A child, the two pipes that lead to it, and what has come through them."""

    number: int
    process: int  # it leads a process group, and a session, of this number
    results: int
    output: int
    limit_seconds: float
    started: float = field(default_factory=monotonic)
    printed: bytearray = field(default_factory=bytearray)
    finished: bool = False
    _stopped: str = ""  # why it was killed: "timeout", "cancelled"
    _partial: bytes = b""

    @property
    def deadline(self) -> float:
        """When it has to be killed, on the monotonic clock."""
        return self.started + self.limit_seconds

    @property
    def doomed(self) -> bool:
        """Whether it was killed, and only its end is waited for."""
        return bool(self._stopped)

    def kill(self, why: str) -> None:
        """End the child and all that descends from it, in its group or out of it."""
        self._stopped = why
        below = processes.descendants(self.process)
        processes.kill_group(self.process)
        processes.kill([self.process, *below])

    def read_lines(self) -> tuple[list[bytes], bool]:
        """The complete lines that have come since the last time, and whether more can come.

        A line that is half written when the child ends is never completed, and is dropped.
        """
        data = _read(self.results)
        *lines, self._partial = (self._partial + (data or b"")).split(b"\n")
        whole = [line + b"\n" for line in lines]
        self.finished = self.finished or FINISHED in whole
        return [line for line in whole if line != FINISHED], data != b""

    def read_output(self) -> bool:
        """Take in what was printed since the last time; False once no more can come."""
        data = _read(self.output)
        self.printed += (data or b"")[: OUTPUT_BYTES - len(self.printed)]
        return data != b""

    def ending(self, status: int) -> Ending:
        """How it ended, from the status that waiting for it gave."""
        code = os.waitstatus_to_exitcode(status)
        return ending_of(code, self._stopped, self.limit_seconds, finished=self.finished)


def ending_of(code: int, stopped: str, limit_seconds: float, *, finished: bool) -> Ending:
    """How a process ended: from its exit code, negative for a signal, and why it was killed."""
    if finished:
        return Ending(kind="finished", stage="", detail="")
    if stopped == "timeout":
        return Ending(kind="timeout", stage="", detail=f"{limit_seconds:g} s")
    crashed = signal.Signals(-code).name if code < 0 else _CRASHES.get(code, "")
    if stopped or crashed:
        return Ending(kind="signal", stage="", detail=stopped or crashed)
    if code in _BROKEN:
        return Ending(kind="broken", stage="", detail=_BROKEN[code])
    return Ending(kind="exit", stage="", detail=f"status {code}")


def _read(descriptor: int) -> bytes | None:
    """What a descriptor has now: nothing at its end, None where one would have to wait."""
    try:
        return os.read(descriptor, _PIPE_BYTES)
    except BlockingIOError:
        return None
