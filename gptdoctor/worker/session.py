"""The parent's side: send models to be examined, and get a record of each, whatever happens.

    with Session(python, root) as session:      # torch is being imported from here on
        ...                                     # read the text meanwhile
        for record in session.examine(requests, listener):
            ...

The user's code runs in processes below a fork server (see `forkserver`).  It may hang, crash, exit
or kill: its record then tells how it ended, with all that was measured before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from time import monotonic
from types import TracebackType

from gptdoctor.core.errors import ProtocolError
from gptdoctor.core.events import Listener, ignore
from gptdoctor.core.measurements.record import Ending, ModelRecord
from gptdoctor.core.specimens import ExamineRequest
from gptdoctor.worker import processes
from gptdoctor.worker.capacity import jobs_at_once
from gptdoctor.worker.link import LinkClosedError
from gptdoctor.worker.preloading import Packages, Preloading
from gptdoctor.worker.progress import Progress
from gptdoctor.worker.protocol import Cancel, Examine, Ready, decode_reply, split_reply
from gptdoctor.worker.ways import can_fork, start_link


class Session:
    """A fork server in the model's interpreter, started at once, and the jobs that run below it."""

    def __init__(
        self, python: str, root: str, *, jobs: int | None = None, devices: bool = False
    ) -> None:
        """`python` runs the models of the project at `root`, an absolute path without links.

        `jobs` models at once, None: as many as cores and free memory allow. With `devices` the
        requests may show the models accelerators.
        """
        self._python = python
        self._root = root
        self._devices = devices
        self._link = start_link(python, root, devices=devices)
        self._jobs = jobs or jobs_at_once(shared=can_fork(devices=devices))
        self._numbers = count(1)  # 0 is for what belongs to no job
        self._asked: list[Progress] = []  # in the last examination
        self._waiting: deque[Progress] = deque()
        self._running: dict[int, Progress] = {}
        self._preloading = Preloading()
        self._loaded: Packages = frozenset()  # in the present fork server

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ready(self) -> Ready:
        """Which Python and torch run the models, or why they cannot; waits until that is known."""
        return self._link.ready()

    def examine(
        self, requests: Sequence[ExamineRequest], listener: Listener = ignore
    ) -> Iterator[ModelRecord]:
        """A record for each request, in their order, each as soon as those before it are told.

        Two examinations of one session must not be interleaved.
        """
        self._preloading.expect(requests)
        jobs = [Progress(request=request, listener=listener) for request in requests]
        self._asked = jobs
        self._waiting = deque(sorted(jobs, key=self._turn))
        ready = self.ready()
        try:
            for job in jobs:
                while job.ending is None and not ready.error:
                    self._launch()
                    self._listen()
                    ready = self.ready() if self._waiting else ready  # of another fork server
                yield job.record(ready)
        finally:
            self._abandon()

    def finished(self) -> list[tuple[ExamineRequest, ModelRecord]]:
        """What was told to the end in the last examination, taken or not."""
        ended = [job for job in self._asked if job.ending is not None]
        return [(job.request, job.record(self.ready())) for job in ended]

    def close(self) -> None:
        """End the fork server and every process below it."""
        self._link.close()

    def _launch(self) -> None:
        """Send as many jobs as may run beside those that do."""
        while self._waiting:
            alone = self._waiting[0].alone or any(job.alone for job in self._running.values())
            if len(self._running) >= (1 if alone else self._jobs) or not self._prepare():
                return
            job, number = self._waiting.popleft(), next(self._numbers)
            self._running[number] = job
            job.begin()
            try:
                self._link.send(Examine(job=number, request=job.request))
            except LinkClosedError as error:
                self._recover(str(error))
                return

    def _turn(self, job: Progress) -> tuple[bool, list[str]]:
        """Jobs that share packages follow each other; first those for which nothing is loaded."""
        packages = self._preloading.packages_for(job.request)
        return packages != self._loaded, sorted(packages)

    def _prepare(self) -> bool:
        """Have loaded what the next job may find loaded; False where that has to wait."""
        job = self._waiting[0]
        packages = frozenset() if job.alone else self._preloading.packages_for(job.request)
        if packages == self._loaded:
            return True
        if self._running:
            return False
        modules = self._preloading.modules_of(packages)
        try:
            if self._loaded:
                self._link.prepare(())
            self._preloading.forbid(self._link.prepare(modules) if modules else ())
        except (LinkClosedError, ProtocolError) as error:
            self._preloading.forbid(modules)
            self._recover(str(error))
            return False
        self._loaded = packages
        return True

    def _listen(self) -> None:
        """Wait for the next lines, and give each to its job."""
        if not self._running:
            return
        overdue = min(job.overdue for job in self._running.values())
        overdue += self._link.patience_seconds
        try:
            for line in self._link.receive(overdue - monotonic()):
                number, message = split_reply(line)
                self._hear(number, message)
        except (LinkClosedError, ProtocolError) as error:
            self._recover(str(error))
        else:
            if monotonic() > overdue:
                self._recover("it does not answer")

    def _hear(self, number: int, message: bytes) -> None:
        job = self._running.get(number)
        if job is None:
            return  # cancelled, and still talking
        try:
            job.take(decode_reply(message))
        except ProtocolError as error:
            job.distrust(str(error))
            self._link.send(Cancel(job=number))
        if job.ending is not None:
            del self._running[number]

    def _recover(self, why: str) -> None:
        """The fork server is gone or mad: start another, and find out which job it was.

        A job that ran alone is the one.  Of several nobody knows, so each is tried again, alone.
        """
        self._link.close()
        lost = list(self._running.values())
        self._running.clear()
        for job in lost:
            if job.process is not None:
                processes.kill_group(job.process)
        if len(lost) == 1:
            detail = f"the process that watches over it ended: {why}"
            lost[0].end(Ending(kind="broken", stage="", detail=detail))
        else:
            for job in lost:
                job.start_over()
            self._waiting.extendleft(lost)
        self._loaded = frozenset()
        self._link = start_link(self._python, self._root, devices=self._devices)

    def _abandon(self) -> None:
        """Nobody waits for these jobs any more."""
        self._waiting.clear()
        for number in self._running:
            with suppress(LinkClosedError):
                self._link.send(Cancel(job=number))
        self._running.clear()
