"""The two consoles: stdout for the result, stderr for progress and trouble."""

from __future__ import annotations

import io
import sys
from typing import Literal, TextIO

from rich.console import Console

from gptdoctor.report.theme import THEME


def stdout_console() -> Console:
    """The console that results are printed on."""
    return console_of(sys.stdout)


def stderr_console() -> Console:
    """The console that progress and trouble are printed on."""
    return console_of(sys.stderr)


def text_console(stream: TextIO, *, width: int, coloured: bool) -> Console:
    """A console that prints into a text, as wide as is asked for."""
    system: Literal["truecolor"] | None = "truecolor" if coloured else None
    return Console(
        file=stream,
        theme=THEME,
        width=width,
        color_system=system,
        force_terminal=coloured,
        highlight=False,
        markup=False,
        emoji=False,
    )


def console_of(stream: TextIO) -> Console:
    """A console with our theme, in which no character of a user's file can be an error.

    Nothing is highlighted by guess, and square brackets are never markup: they are shapes here.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return Console(file=stream, theme=THEME, highlight=False, markup=False, emoji=False)
