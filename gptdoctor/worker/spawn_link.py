"""The parent's line to interpreters that examine one model each, where a system cannot fork.

It speaks like `Link`, and does itself what the fork server does there: it keeps the time, collects
what is printed, and ends processes with all that they started.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from queue import Empty, Queue
from time import monotonic

from gptdoctor.worker.link import LinkClosedError, unusable
from gptdoctor.worker.protocol import (
    Cancel,
    Ended,
    Examine,
    Output,
    Ready,
    Reply,
    Request,
    Started,
    Stop,
    address,
    encode,
)
from gptdoctor.worker.spawned import Spawned, Word

# Importing torch takes 1.5 s, from a cold network disk up to a minute; this is well above.
START_SECONDS = 180.0


class SpawnLink:
    """Fresh interpreters, the first of them started at once and not waited for."""

    patience_seconds = START_SECONDS  # from a request to its start, at most

    def __init__(self, python: str, root: str) -> None:
        self._python = python
        self._root = root
        self._ready: Ready | None = None
        self._words: Queue[Word] = Queue()
        self._running: list[Spawned] = []
        self._lines: deque[bytes] = deque()
        self._spare: Spawned | None = self._start()

    def ready(self) -> Ready:
        """What the interpreter can do, as soon as it has said so."""
        deadline = monotonic() + START_SECONDS
        while self._ready is None:
            self._hear(deadline - monotonic())
            if monotonic() > deadline:
                self._ready = unusable(self._python, f"was not ready after {START_SECONDS:g} s")
        return self._ready

    def prepare(self, modules: tuple[str, ...]) -> tuple[str, ...]:
        """Nothing can be imported ahead: no process descends from another one here."""
        return ()

    def send(self, request: Request) -> None:
        """Start a job, or end one."""
        match request:
            case Examine():
                self._begin(request)
            case Cancel():
                for one in self._running:
                    if one.job == request.job:
                        one.kill("cancelled")
            case Stop():
                self.close()

    def receive(self, seconds: float) -> list[bytes]:
        """The lines that have come, each with the number of its job; none after `seconds`."""
        deadline = monotonic() + max(0.0, seconds)
        while not self._lines:
            limits = [one.deadline for one in self._running if not one.stopped]
            self._hear(min([deadline, *limits]) - monotonic())
            now = monotonic()
            for one in self._running:
                if now >= one.deadline and not one.stopped:
                    one.kill("timeout")
            if now >= deadline:
                break
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def close(self) -> None:
        """End all processes and what they started; safe to call again."""
        everyone = [*self._running, *([self._spare] if self._spare else [])]
        for one in everyone:
            one.kill("cancelled")
        for one in everyone:
            one.forget()
        self._running, self._spare = [], None

    def _start(self) -> Spawned | None:
        try:
            return Spawned(self._python, self._root, self._words)
        except OSError as error:
            self._ready = unusable(self._python, f"cannot be started ({error.strerror})")
            return None

    def _begin(self, request: Examine) -> None:
        one, self._spare = self._spare or self._start(), None
        if one is None:
            raise LinkClosedError("no interpreter can be started")
        one.job, one.limit_seconds = request.job, request.request.timeout_seconds
        self._running.append(one)
        if one.is_ready:
            self._give(one, encode(request))
        else:
            one.request = encode(request)  # its time begins when torch is there

    def _give(self, one: Spawned, request: bytes) -> None:
        one.begin(request)
        self._tell(one, Started(process=one.process))

    def _hear(self, seconds: float) -> None:
        """Wait for one word of any process, and take it in."""
        with suppress(Empty):
            word = self._words.get(timeout=max(0.0, seconds))
            one = word.speaker
            if word.ready is not None:
                self._ready = self._ready or word.ready
                if not one.is_ready:
                    one.kill(word.ready.error)
                elif one.request:
                    self._give(one, one.request)
            elif word.line is not None:
                self._lines.append(address(one.job, word.line))
            else:
                self._end(one)

    def _end(self, one: Spawned) -> None:
        """A process is gone."""
        one.forget()
        if one is self._spare:
            self._spare = None
            self._ready = self._ready or unusable(
                self._python, f"cannot run models ({one.obituary()})"
            )
        if one in self._running:
            self._running.remove(one)
            self._tell(one, Output(text=one.printed.decode(errors="replace")))
            self._tell(one, Ended(ending=one.ending(), seconds=one.seconds))

    def _tell(self, one: Spawned, message: Reply) -> None:
        self._lines.append(address(one.job, encode(message)))
