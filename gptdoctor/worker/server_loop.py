"""The fork server's loop: jobs come in, children are forked, watched and killed, results go out.

One thread.  Requests come in by one descriptor, the lines and the output of each job by two of its
own, and all of it goes out to the parent by one more, as fast as the parent reads.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from contextlib import suppress
from functools import partial
from os import _exit  # held, for the user's code may put another in its place
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic, sleep
from typing import NoReturn

from gptdoctor.core.specimens import ExamineRequest, is_asked
from gptdoctor.probes.instruments.aside import import_aside
from gptdoctor.specimen.loaded_files import loaded_files
from gptdoctor.worker import isolation, processes
from gptdoctor.worker.job import Job
from gptdoctor.worker.make_way import make_way
from gptdoctor.worker.prepare_torch import Run
from gptdoctor.worker.protocol import (
    OWN_FAULT,
    Cancel,
    Ended,
    Examine,
    Output,
    Preload,
    Prepared,
    Reply,
    Request,
    Started,
    address,
    decode_request,
    encode,
)
from gptdoctor.worker.search_path import only_installed
from gptdoctor.worker.stand_by import RELEASED, preload, released

NO_JOB = 0  # the number of replies that belong to none
_REQUEST_BYTES = 1024 * 1024  # overlays hold whole files
# A killed process is gone within microseconds; these rounds of 5 ms are for one that forks.
_KILL_ROUNDS = 100
_FULL_SIZE = "full-size"  # the probe


class ServerLoop:
    """The loop, and what it knows of the jobs that run."""

    def __init__(self, control: int, replies: int, root: str, run: Run) -> None:
        self.ended_like: int | None = None  # the status of the copy that served in our place
        self._control = control
        self._root = root
        self._replies = replies
        self._run_child = run
        self._open = True
        self._request = b""
        self._outgoing = bytearray()
        self._jobs: dict[int, Job] = {}  # by the number of the process
        self._loaded: frozenset[str] = frozenset()  # modules that a copy of us imported ahead
        self._one_at_full_size = False  # whether a job has run a model at its full size
        self._selector = DefaultSelector()
        self._wake, self._alarm = os.pipe()
        for descriptor in (replies, self._wake, self._alarm):
            os.set_blocking(descriptor, False)
        # A dead child wakes the loop, even where its descendants keep its pipes open.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._listen()
        processes.adopt_orphans()

    def run(self) -> None:
        """Serve until the parent asks for the end or goes away."""
        while self._open:
            for key, _ in self._selector.select(self._patience()):
                key.data()
            for job in list(self._jobs.values()):
                if monotonic() >= job.deadline and not job.doomed:
                    job.kill("timeout")

    def tell(self, job: int, message: Reply) -> None:
        """Send the parent a message, at once or when it reads again: the loop never waits."""
        self._send(address(job, encode(message)))

    def kill_all(self) -> None:
        """End every process below this one."""
        for _ in range(_KILL_ROUNDS):
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            below = processes.descendants(os.getpid())
            if not below:
                return
            processes.kill(below)
            sleep(0.005)

    def _listen(self) -> None:
        """Open a selector of our own: a copy of this process has none, or shares the original's.

        Nor has a copy an alarm: from Python 3.12 on, asyncio takes it away after each fork.
        """
        signal.set_wakeup_fd(self._alarm, warn_on_full_buffer=False)
        self._selector.close()
        self._selector = DefaultSelector()
        self._selector.register(self._control, EVENT_READ, self._read_requests)
        self._selector.register(self._wake, EVENT_READ, self._reap)

    def _patience(self) -> float | None:
        """Seconds until the next time limit."""
        deadlines = [job.deadline for job in self._jobs.values() if not job.doomed]
        return max(0.0, min(deadlines) - monotonic()) if deadlines else None

    def _read_requests(self) -> None:
        data = os.read(self._control, _REQUEST_BYTES)
        *lines, self._request = (self._request + data).split(b"\n")
        for line in lines:
            self._obey(decode_request(line))
        if not data:
            self._open = False

    def _obey(self, request: Request) -> None:
        match request:
            case Examine():
                self._start(request.job, request.request)
            case Preload():
                self._preload(request.modules)
            case Cancel():
                for job in self._jobs.values():
                    if job.number == request.job:
                        job.kill("cancelled")
            case _:
                self._open = False

    def _preload(self, modules: tuple[str, ...]) -> None:
        """Have modules imported by a copy that takes our place, or be the copy and make way."""
        if self._loaded:
            _exit(RELEASED)
        before = frozenset(sys.modules)
        with only_installed(self._root):
            outcome = preload(modules, self._control)
        if outcome.copy:
            self._loaded = frozenset(sys.modules) - before
            loaded_files(self._root)  # each child asks, and finds the answers in memory
        elif outcome.ended is not None and not released(outcome.ended):
            self.ended_like, self._open = outcome.ended, False
            return
        self._listen()
        self.tell(NO_JOB, Prepared(failed=outcome.failed))

    def _foresee(self, request: ExamineRequest) -> None:
        """From the second model on, import once what each would import for its full size."""
        if not is_asked(_FULL_SIZE, request.probes, request.without):
            return
        if self._one_at_full_size:
            with only_installed(self._root):
                import_aside()
            gc.freeze()  # as before the first child: pages that nobody touches stay shared
        self._one_at_full_size = True

    def _start(self, number: int, request: ExamineRequest) -> None:
        self._foresee(request)
        results, output = os.pipe(), os.pipe()
        process = os.fork()
        if process == 0:
            self._become_child(request, results, output)
        os.close(results[1])
        os.close(output[1])
        job = Job(
            number=number,
            process=process,
            results=results[0],
            output=output[0],
            limit_seconds=request.timeout_seconds,
        )
        self._jobs[process] = job
        for descriptor, read in ((job.results, self._relay), (job.output, self._collect)):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, EVENT_READ, partial(read, job))
        self.tell(number, Started(process=process))

    def _become_child(
        self, request: ExamineRequest, results: tuple[int, int], output: tuple[int, int]
    ) -> NoReturn:
        """Never come back to the loop, whatever happens."""
        try:
            ours = {key.fd for key in self._selector.get_map().values()}
            ours |= {self._replies, self._alarm, self._selector.fileno(), results[0], output[0]}
            descriptor = isolation.enter_cell(results[1], output[1], ours)
            gc.enable()
            make_way(request, self._loaded)
            self._run_child(request, descriptor)
            _exit(0)
        except BaseException:
            traceback.print_exc()  # into the job's output
        finally:
            _exit(OWN_FAULT)

    def _relay(self, job: Job) -> None:
        lines, more = job.read_lines()
        for line in lines:
            self._send(address(job.number, line))
        if not more:
            self._selector.unregister(job.results)

    def _collect(self, job: Job) -> None:
        if not job.read_output():
            self._selector.unregister(job.output)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)
        with suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if process == 0:
                    return
                if process in self._jobs:  # others are orphans of the user's, adopted
                    self._end(self._jobs.pop(process), status)

    def _end(self, job: Job, status: int) -> None:
        """Take in what the dead child left in its pipes, and clear away what it started."""
        processes.kill_group(job.process)
        for descriptor, read in ((job.results, self._relay), (job.output, self._collect)):
            if descriptor in self._selector.get_map():
                read(job)
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)
            os.close(descriptor)
        self.tell(job.number, Output(text=job.printed.decode(errors="replace")))
        seconds = monotonic() - job.started
        self.tell(job.number, Ended(ending=job.ending(status), seconds=seconds))
        if not self._jobs:
            # Daemons that left their job's group: nobody can say whose they are while others run.
            processes.kill(processes.descendants(os.getpid()))

    def _send(self, line: bytes) -> None:
        self._outgoing += line
        self._flush()

    def _flush(self) -> None:
        """Write what the pipe takes, and come back for the rest when it takes more."""
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._replies, self._outgoing)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._open = False
            self._outgoing.clear()
        waiting = self._replies in self._selector.get_map()
        if self._outgoing and not waiting:
            self._selector.register(self._replies, EVENT_WRITE, self._flush)
        elif waiting and not self._outgoing:
            self._selector.unregister(self._replies)
