"""The line of a finding in the terminal, with the part that is meant marked as compilers do."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gptdoctor.core.findings import Finding
from gptdoctor.report.highlight import code_lines
from gptdoctor.report.prose import visible

_INDENT = "    "
_LEAST = 20  # columns that code gets on however narrow a screen
_AROUND = 8  # characters of a cut line that are left before what is marked


def print_excerpt(console: Console, finding: Finding) -> None:
    """The line behind its number; marked, unless all of it is meant.

    A line that is wider than the screen is cut on its right, and on its left as well where what
    is marked would be out of sight.
    """
    lines = code_lines(finding.excerpt, coloured=console.color_system is not None)
    if not lines:
        return
    line, (start, end) = lines[0], marked_part(finding)
    number = str(finding.location.shown_line)
    room = max(_LEAST, console.width - len(_INDENT) - len(number) - 3)
    line, start, end = _fitted(line, start, end, room)
    _print(console, number, line)
    if line.plain[:start].strip() or line.plain[end:].strip():
        before = " " * cell_len(line.plain[:start])
        marker = "^" * max(1, cell_len(line.plain[start:end]))
        role = f"severity.{finding.severity.value}"
        _print(console, " " * len(number), Text.assemble(before, (marker, role)))


def marked_part(finding: Finding) -> tuple[int, int]:
    """Where in the visible excerpt the range begins and ends, 0-based, the end exclusive.

    A range without a width is the whole line, and one of several lines goes on to its end.
    """
    where, excerpt = finding.location, finding.excerpt
    first = where.column - finding.excerpt_column
    last = where.end_column - finding.excerpt_column
    if where.end_line > where.line:
        last = len(excerpt)
    if not 0 <= first < last <= len(excerpt):
        return 0, len(visible(excerpt))
    return len(visible(excerpt[:first])), len(visible(excerpt[:last]))


def _fitted(line: Text, start: int, end: int, room: int) -> tuple[Text, int, int]:
    """The line cut to the screen, and the marked part in it."""
    if line.cell_len > room and start + _AROUND > room:
        cut = max(0, start - _AROUND)
        line = Text.assemble("…", line[cut:])
        start, end = start - cut + 1, end - cut + 1
    line.truncate(room, overflow="ellipsis")
    return line, start, min(end, len(line.plain))


def _print(console: Console, gutter: str, line: Text) -> None:
    shown = Text.assemble(_INDENT, (f"{gutter} │ ", "gutter"), line)
    shown.rstrip()
    console.print(shown, soft_wrap=True)
