"""Lines of Python as they are printed."""

from __future__ import annotations

from rich.text import Text

from gptdoctor.report.prose import visible


def code_lines(source: str, *, coloured: bool = True) -> list[Text]:
    """Lines of Python without empty ones at the end, highlighted where they are `coloured`."""
    text = visible(source).rstrip()
    lines = list((_highlighted(text) if coloured else Text(text)).split("\n"))
    for line in lines:
        line.rstrip()
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def _highlighted(text: str) -> Text:
    # Loading and making the highlighter costs as much as the scan of a file, and what is piped
    # has no colour.
    from gptdoctor.report.python_colours import highlighted

    return highlighted(text)
