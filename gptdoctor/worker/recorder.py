"""Which of the user's lines run, so that a suspicion can be refuted only where its code ran."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol

from gptdoctor.core.specimens import ModelTarget
from gptdoctor.specimen.places import FOREIGN_FOLDERS, project_path

Lines = Mapping[str, set[int]]  # path relative to the root -> lines
_PathOf = Callable[[str], str | None]  # of a file name; None: its lines are not recorded

# `sys.monitoring` has six tools, of which 0, 1, 2 and 5 are spoken for by convention.
_TOOLS = (3, 4)


class _Tracer(Protocol):
    def __call__(self, frame: FrameType, event: str, argument: Any) -> _Tracer | None: ...


def record_lines(root: str, target: ModelTarget | None = None) -> AbstractContextManager[Lines]:
    """The lines of each file of the user's, by path relative to `root`, that run meanwhile.

    Where the root is a folder of installed packages, only the files that `target` is made of and
    their neighbours are recorded: a model of transformers runs through thousands of lines a call
    of that package's own machinery, which nobody asks about.
    """
    wanted = None
    if target is not None and Path(root).name in FOREIGN_FOLDERS:
        files = {part.partition("::")[0] for part in target.family}
        wanted = {target.path.rpartition("/")[0], target.path, *files}
    path_of = partial(_recorded_path, root=root, wanted=wanted)
    if sys.version_info >= (3, 12):
        tool = next((one for one in _TOOLS if sys.monitoring.get_tool(one) is None), None)
        if tool is not None:
            return _monitored(path_of, tool)
    return _traced(path_of)


def as_executed(lines: Lines) -> dict[str, tuple[int, ...]]:
    """Recorded lines in the form that a `Measured` holds."""
    return {path: tuple(sorted(numbers)) for path, numbers in lines.items() if numbers}


def _recorded_path(filename: str, root: str, wanted: Collection[str] | None) -> str | None:
    path = project_path(filename, root)
    if path is None or wanted is None or path in wanted or path.rpartition("/")[0] in wanted:
        return path
    return None


@contextmanager
def _monitored(path_of: _PathOf, tool: int) -> Iterator[Lines]:
    """Each line reports once and is silent from then on: what runs long costs nothing more."""
    if sys.version_info < (3, 12):
        raise RuntimeError("this Python has no sys.monitoring")
    lines: dict[str, set[int]] = {}
    paths: dict[str, str | None] = {}
    monitoring = sys.monitoring
    silent = monitoring.DISABLE

    def note(code: CodeType, line: int) -> Any:
        filename = code.co_filename
        if filename not in paths:
            paths[filename] = path_of(filename)
        path = paths[filename]
        if path is not None:
            lines.setdefault(path, set()).add(line)
        return silent

    monitoring.use_tool_id(tool, "gptdoctor")
    monitoring.register_callback(tool, monitoring.events.LINE, note)
    monitoring.set_events(tool, monitoring.events.LINE)
    monitoring.restart_events()  # those that an earlier recording has heard speak again
    try:
        yield lines
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


@contextmanager
def _traced(path_of: _PathOf) -> Iterator[Lines]:
    """Only this thread is recorded.

    Files are told apart once: a call in a foreign file costs one look-up by name, and its lines
    cost nothing.
    """
    lines: dict[str, set[int]] = {}
    tracers: dict[str, _Tracer | None] = {}  # by file name: hashing a code object is slow

    def enter(frame: FrameType, event: str, argument: Any) -> _Tracer | None:
        filename = frame.f_code.co_filename
        try:
            return tracers[filename]
        except KeyError:
            path = path_of(filename)
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
