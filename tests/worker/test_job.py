"""How a job's end is told, and what of its pipes is believed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gptdoctor.worker.job import OUTPUT_BYTES, Job
from gptdoctor.worker.protocol import CHANNEL_LOST, OWN_FAULT, Finished, Stage, encode

STAGE = encode(Stage(stage="import"))


@pytest.fixture
def pipes() -> Iterator[tuple[Job, int, int]]:
    """A job without a process, and the ends that its child would write to."""
    (results, results_end), (output, output_end) = os.pipe(), os.pipe()
    for descriptor in (results, output):
        os.set_blocking(descriptor, False)
    yield (
        Job(number=1, process=0, results=results, output=output, limit_seconds=60),
        results_end,
        output_end,
    )
    for descriptor in (results, results_end, output, output_end):
        os.close(descriptor)


@pytest.mark.parametrize(
    ("status", "kind", "detail"),
    [
        (0, "exit", "status 0"),
        (3 << 8, "exit", "status 3"),
        (11, "signal", "SIGSEGV"),
        (OWN_FAULT << 8, "broken", "gptdoctor's own code failed"),
        (CHANNEL_LOST << 8, "broken", "closed the descriptor"),
    ],
)
def test_the_status_tells_the_end(
    pipes: tuple[Job, int, int], status: int, kind: str, detail: str
) -> None:
    """An end that says nothing of the model is not told as the model's own."""
    ending = pipes[0].ending(status)
    assert kind == ending.kind
    assert detail in ending.detail


def test_only_the_childs_word_makes_it_finished(pipes: tuple[Job, int, int]) -> None:
    """A status of 0 is a success only after the child has said so."""
    job, results, _ = pipes
    os.write(results, STAGE + encode(Finished()))
    assert job.read_lines() == ([STAGE], True)
    assert job.ending(0).kind == "finished"


def test_lines_are_passed_on_when_they_are_whole(pipes: tuple[Job, int, int]) -> None:
    """A line that comes in two pieces waits for its end, and without one is dropped."""
    job, results, _ = pipes
    os.write(results, STAGE + STAGE[:5])
    assert job.read_lines() == ([STAGE], True)
    assert job.read_lines() == ([], True)
    os.write(results, STAGE[5:] + STAGE[:-1])
    assert job.read_lines() == ([STAGE], True)


def test_output_is_drained_and_cut(pipes: tuple[Job, int, int]) -> None:
    """What is printed beyond the limit is read, so that printing never blocks, and dropped."""
    job, _, output = pipes
    for _ in range(3):
        os.write(output, b"x" * 40_000)
        assert job.read_output()
    assert len(job.printed) == OUTPUT_BYTES
