"""Which of the user's lines run, so that a suspicion can be refuted only where its code ran."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from gptdoctor.specimen.places import project_path

Lines = Mapping[str, set[int]]  # path relative to the root -> lines


class _Tracer(Protocol):
    def __call__(self, frame: FrameType, event: str, argument: Any) -> _Tracer | None: ...


@contextmanager
def record_lines(root: str) -> Iterator[Lines]:
    """The lines of each file of the user's, by path relative to `root`, that run meanwhile.

    Only this thread is recorded.  Files are told apart once: a call in a foreign file costs one
    look-up by name, and its lines cost nothing.
    """
    lines: dict[str, set[int]] = {}
    tracers: dict[str, _Tracer | None] = {}  # by file name: hashing a code object is slow

    def enter(frame: FrameType, event: str, argument: Any) -> _Tracer | None:
        filename = frame.f_code.co_filename
        try:
            return tracers[filename]
        except KeyError:
            path = project_path(filename, root)
            tracer = None if path is None else _line_tracer(lines.setdefault(path, set()))
            return tracers.setdefault(filename, tracer)

    previous = sys.gettrace()
    sys.settrace(enter)
    try:
        yield lines
    finally:
        sys.settrace(previous)


def _line_tracer(lines: set[int]) -> _Tracer:
    """A trace function for the frames of one file."""
    add = lines.add

    def note(frame: FrameType, event: str, argument: Any) -> _Tracer | None:
        if event == "line":
            add(frame.f_lineno)
        return note

    return note


def as_executed(lines: Lines) -> dict[str, tuple[int, ...]]:
    """Recorded lines in the form that a `Measured` holds."""
    return {path: tuple(sorted(numbers)) for path, numbers in lines.items() if numbers}
