"""How sentences are laid out on a terminal: widths, hanging indents, no trailing spaces."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from gptdoctor.report.highlight import code_lines
from gptdoctor.report.pasted import pasted_lines
from gptdoctor.report.prose import Inline

# Prose that runs over a whole wide screen is hard to read: the eye loses the next line.
WIDEST_PROSE = 100
LABEL_WIDTH = 11  # of "confirmed", "unmeasured" and a space


def to_text(console: Console, inline: Inline) -> Text:
    """A sentence in rich's form; without colour, backticks tell what is code."""
    mark = "" if console.color_system else "`"
    text = Text()
    for span in inline:
        quote = mark if span.role == "code" else ""
        text.append(f"{quote}{span.text}{quote}", style=span.role)
    return text


def prose_width(console: Console) -> int:
    """Columns that prose may take."""
    return min(console.width, WIDEST_PROSE)


def print_line(console: Console, *parts: str | tuple[str, str] | Text) -> None:
    """One line that is never broken, so that a path in it stays whole."""
    console.print(Text.assemble(*parts), soft_wrap=True)


def print_wrapped(console: Console, text: Text, *, first: str = "", rest: str = "") -> None:
    """Wrapped prose: the first line begins with `first`, the others with `rest`."""
    print_hanging(console, Text(first), text, rest)


def print_labelled(console: Console, label: str, role: str, text: Text, indent: int = 2) -> None:
    """Wrapped prose that hangs to the right of its label."""
    margin = " " * indent
    head = Text.assemble(margin, (label, role), " " * max(1, LABEL_WIDTH - len(label)))
    print_hanging(console, head, text, margin + " " * LABEL_WIDTH)


def print_pasted(console: Console, label: str, role: str, text: Inline, indent: int = 2) -> None:
    """Code to be pasted, to the right of its label, over the whole width of the screen."""
    margin = " " * (indent + LABEL_WIDTH)
    head = Text.assemble(" " * indent, (label, role), " " * max(1, LABEL_WIDTH - len(label)))
    for index, line in enumerate(pasted_lines(text, max(20, console.width - len(margin)))):
        shown = Text.assemble(margin if index else head, line)
        console.print(shown, soft_wrap=True)


def print_hanging(console: Console, head: Text, text: Text, rest: str) -> None:
    """Prose after `head`, its further lines indented by `rest`."""
    width = max(20, prose_width(console) - max(head.cell_len, len(rest)))
    for index, line in enumerate(text.wrap(console, width)):
        line.rstrip()
        console.print(Text.assemble(head if index == 0 else rest, line), soft_wrap=True)


def print_code(
    console: Console, source: str, *, first_line: int | None = None, indent: str = "    "
) -> None:
    """Source with a bar at its left, numbered from `first_line` where that is given."""
    lines = code_lines(source, coloured=console.color_system is not None)
    numbers = _numbers(first_line, len(lines))
    for number, line in zip(numbers, lines, strict=True):
        gutter = f"{number} │ " if number else "│ "
        room = max(20, console.width - len(indent) - len(gutter))
        line.truncate(room, overflow="ellipsis")
        shown = Text.assemble(indent, (gutter, "gutter"), line)
        shown.rstrip()
        console.print(shown, soft_wrap=True)


def _numbers(first_line: int | None, count: int) -> Iterable[str]:
    if first_line is None:
        return [""] * count
    width = len(str(first_line + count - 1))
    return [str(first_line + index).rjust(width) for index in range(count)]
