"""Consoles that keep what is printed on them."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

from rich.console import Console

from gptdoctor.catalog import defect_named
from gptdoctor.report.rules import print_rule
from gptdoctor.report.theme import THEME

WIDTHS = (80, 200)


def screen(width: int = 80, *, terminal: bool = False) -> Console:
    """A console of a fixed width: a pipe, or a terminal with colours."""
    return Console(
        file=io.StringIO(),
        width=width,
        theme=THEME,
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=terminal,
        color_system="truecolor" if terminal else None,
    )


def printed(draw: Callable[[Console], object], width: int = 80, *, terminal: bool = False) -> str:
    """What `draw` prints."""
    console = screen(width, terminal=terminal)
    draw(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@cache
def page_of(code: str, width: int = 80) -> str:
    """What `explain` prints of a rule, which several tests read."""
    return printed(lambda console: print_rule(console, defect_named(code)), width)


def flat(text: str) -> str:
    """Text without its line breaks, to look for sentences in it."""
    return " ".join(text.split())
