"""Work in a copy of the process, within limits."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace

import pytest

from gptdoctor.probes.instruments.apart import Limits, Send, run_apart

LIMITS = Limits(seconds=30.0, processor_seconds=20, memory_bytes=1 << 28)
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def test_what_was_sent_arrives_and_nothing_else_does() -> None:
    """The copy's changes stay with the copy; large messages arrive whole."""
    here: list[int] = []

    def work(send: Send) -> None:
        here.append(os.getpid())
        send("x" * 300_000)
        send((1, 2.5))

    assert run_apart(work, LIMITS) == (["x" * 300_000, (1, 2.5)], "")
    assert here == []


def test_a_copy_that_waits_is_ended_and_what_it_sent_stays() -> None:
    """The limit on the clock holds for what uses no processor."""

    def work(send: Send) -> None:
        send("before")
        time.sleep(60)

    began = time.monotonic()
    assert run_apart(work, replace(LIMITS, seconds=0.5)) == (["before"], "it took over 0.5 s")
    assert time.monotonic() - began < 20


def test_a_copy_that_computes_without_end_is_ended() -> None:
    """The limit on the processor holds on a busy machine as on a quiet one."""

    def work(send: Send) -> None:
        while True:
            pass

    assert run_apart(work, replace(LIMITS, processor_seconds=1)) == ([], "it took over 1 s")


def test_a_copy_that_dies_is_told() -> None:
    """An exit and a signal are two ends, and neither is ours."""

    def leave(send: Send) -> None:
        os._exit(0)

    def be_killed(send: Send) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    assert run_apart(leave, LIMITS) == ([], "the process ended itself")
    assert run_apart(be_killed, LIMITS) == ([], "the process was ended by SIGKILL")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no such limit")
def test_memory_beyond_the_limit_is_refused() -> None:
    """A copy cannot take what the machine needs; it is told by an error that it can catch."""

    def work(send: Send) -> None:
        try:
            bytearray(1 << 30)
        except MemoryError:
            send("refused")

    assert run_apart(work, LIMITS) == (["refused"], "")


def test_without_fork_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no copy to be had, the result is the same."""
    monkeypatch.delattr(os, "fork")
    assert run_apart(lambda send: send(os.getpid()), LIMITS) == ([os.getpid()], "")
