"""One line for each entry, "path:line:column: code severity status message", for editors and grep.

Paths begin at the folder that the command was given in, as editors resolve them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TextIO

from gptdoctor.report.checked import Checked
from gptdoctor.report.entries import Entry, entries_of
from gptdoctor.report.prose import visible


def write(checked: Checked, stream: TextIO) -> None:
    """The lines, in the order of the places."""
    entries = entries_of(checked.examination)
    for entry in sorted(entries, key=lambda one: (one.location, one.code)):
        path = checked.seen_from_here(entry.location.path)
        stream.write(f"{_line(replace(entry, location=replace(entry.location, path=path)))}\n")
    if checked.examination.environment.trouble:
        stream.write(f"gptdoctor: no model was run: {checked.examination.environment.trouble}\n")


def _line(entry: Entry) -> str:
    where = f"{entry.location.words}:{entry.location.column}"
    known = f" {entry.status.value}" if entry.status else ""
    told = " ".join(entry.message.split())
    return visible(f"{where}: {entry.code} {entry.severity.value}{known} {told}")
