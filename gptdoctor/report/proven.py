"""What `prove` wrote, told in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console

from gptdoctor.core.findings import Finding
from gptdoctor.report.amounts import count
from gptdoctor.report.layout import print_labelled, print_line, to_text
from gptdoctor.report.prose import prose, visible


class _Test(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def finding(self) -> Finding: ...


class _Proven(Protocol):
    @property
    def tests(self) -> Sequence[_Test]: ...
    @property
    def failures(self) -> Sequence[str]: ...
    @property
    def passing(self) -> Sequence[Finding]: ...
    @property
    def untold(self) -> Sequence[Finding]: ...


def print_proven(console: Console, proven: _Proven, output: Path | None) -> None:
    """Each test with how it fails today, and the findings that have none."""
    for test, failure in zip(proven.tests, proven.failures, strict=True):
        print_line(console, (test.finding.rule, "rule"), f" {test.name}")
        print_labelled(console, "fails", "label", to_text(console, prose(_first_line(failure))))
    for finding in proven.passing:
        print_line(console, _named(finding), ": no test is written, for it would pass today")
    for finding in proven.untold:
        print_line(console, _named(finding), ": no short test shows it by itself")
    if not proven.tests:
        print_line(console, "nothing was written: there is no confirmed finding that a test shows")
    elif output is not None:
        number = count(len(proven.tests), "test")
        print_line(console, f"wrote {number} to ", (visible(str(output)), "path"))
        print_line(console, f"Next: pytest {visible(str(output))} fails until the model is healed")


def _named(finding: Finding) -> tuple[str, str]:
    return f"{finding.rule} at {visible(finding.location.words)}", "rule"


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")
