"""Annotations at the lines of a pull request, by the commands that GitHub's runner reads.

A step may set ten errors, ten warnings and ten notices, and the runner drops what is more without
a word. The worst come first, and the last notice says how many were left out. SARIF has no such
limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from gptdoctor.core.findings import Severity
from gptdoctor.report.amounts import capital, count, joined
from gptdoctor.report.checked import Checked
from gptdoctor.report.entries import Entry, entries_of

PER_KIND = 10
COMMANDS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
}


def write(checked: Checked, stream: TextIO) -> None:
    """The commands, one a line."""
    entries = entries_of(checked.examination, checked.in_repository)
    trouble = checked.examination.environment.trouble
    if trouble:
        stream.write(f"::error title=gptdoctor::{_data(f'No model was run: {trouble}.')}\n")
    by_kind = {kind: _of_kind(entries, kind) for kind in ("error", "warning", "notice")}
    room = _room(by_kind, errors=PER_KIND - bool(trouble))
    for kind, of_kind in by_kind.items():
        for entry in of_kind[: room[kind]]:
            stream.write(f"{_command(kind, entry)}\n")
    left = {kind: len(of_kind) - room[kind] for kind, of_kind in by_kind.items()}
    for line in _left_out(left):
        stream.write(f"{line}\n")


def _of_kind(entries: Sequence[Entry], kind: str) -> list[Entry]:
    return [entry for entry in entries if COMMANDS[entry.severity] == kind]


def _room(by_kind: dict[str, list[Entry]], *, errors: int) -> dict[str, int]:
    """How many of each kind are told; the last notice is kept for what is left out, if any."""
    most = {"error": errors, "warning": PER_KIND, "notice": PER_KIND}
    if any(len(of_kind) > most[kind] for kind, of_kind in by_kind.items()):
        most["notice"] -= 1
    return most


def _command(kind: str, entry: Entry) -> str:
    properties = ",".join(f"{key}={_property(value)}" for key, value in _place(entry))
    return f"::{kind} {properties}::{_data(entry.told)}"


def _place(entry: Entry) -> Iterator[tuple[str, str]]:
    """Where the annotation stands; columns are for ranges within a line.

    The line of a notebook's cell is no line of its file: there the title tells it.
    """
    where = entry.location
    yield "file", where.path
    if where.in_cell is not None:
        yield "title", f"{entry.title} ({where.words})"
        return
    yield "line", str(where.line)
    yield "endLine", str(where.end_line)
    if where.line == where.end_line and where.column < where.end_column:
        yield "col", str(where.column)
        yield "endColumn", str(where.end_column)
    yield "title", entry.title


def _left_out(left: dict[str, int]) -> Iterator[str]:
    told = [count(number, kind) for kind, number in left.items() if number > 0]
    if told:
        more = (
            f"{capital(joined(told))} more than GitHub shows for one step: the whole list is in "
            "the output formats sarif, markdown and concise."
        )
        yield f"::notice title=gptdoctor::{_data(more)}"


def _data(text: str) -> str:
    """A message as the runner reads it: one line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A value among others: what parts it from them is written in other letters."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
