"""Grouped and coloured, for a person at a terminal."""

from __future__ import annotations

from typing import TextIO

from gptdoctor.report.checked import Checked
from gptdoctor.report.consoles import console_of
from gptdoctor.report.text import print_examination


def write(checked: Checked, stream: TextIO) -> None:
    """Findings, verdicts, a summary and what to do next."""
    print_examination(
        console_of(stream),
        checked.examination,
        gate=checked.gate,
        targets=checked.words,
        trace=checked.trace,
    )
