"""The way of the data behind a finding, line by line, for whoever asks for it."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from gptdoctor.core.findings import Finding
from gptdoctor.report.amounts import Values
from gptdoctor.report.layout import print_hanging, print_line
from gptdoctor.report.prose import visible


def print_trail(console: Console, finding: Finding) -> None:
    """The user's lines from a parameter to the place of the finding; nothing where none are known.

    A trail is kept as "gpt.py:12 x = f(x)", one text a line.
    """
    values = Values(finding.evidence.values)
    trail = values.names("trail")
    if not trail:
        return
    head = f"the path of the data from {visible(values.text('trail_from') or 'a parameter')}:"
    print_hanging(console, Text("  "), Text(head, style="label"), "  ")
    width = max(len(one.partition(" ")[0]) for one in trail)
    for one in trail:
        place, _, code = one.partition(" ")
        gap = " " * (width - len(place) + 2)
        print_line(console, "    ", (visible(place), "path"), gap, visible(code))
