"""What `check --watch` tells under each result: what is new, and what is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from gptdoctor.core.diagnosis import Examination
from gptdoctor.core.findings import Finding, Status
from gptdoctor.diagnose.fingerprints import fingerprints
from gptdoctor.report.amounts import count
from gptdoctor.report.prose import visible


def print_changes(console: Console, before: Examination | None, now: Examination) -> None:
    """New findings and those that are gone since `before`, and that the watch goes on."""
    old, new = ({} if one is None else _by_name(one) for one in (before, now))
    appeared = [finding for name, finding in new.items() if name not in old]
    gone = [finding for name, finding in old.items() if name not in new]
    console.print()
    if before is not None:
        for word, findings in (("new", appeared), ("gone", gone)):
            for finding in findings:
                console.print(_line(word, finding), soft_wrap=True)
    told = ", ".join(_told(new, appeared, gone, first=before is None))
    clock = time.strftime("%H:%M:%S")
    console.print(
        Text.assemble((told, "strong"), (f" at {clock}. Watching; Ctrl-C ends.", "aside"))
    )


def _by_name(examination: Examination) -> dict[str, Finding]:
    """The findings that hold, by what they are called across changes of the text."""
    holding = [
        finding for finding in examination.findings if finding.evidence.status is not Status.REFUTED
    ]
    return dict(zip(fingerprints(holding), holding, strict=True))


def _told(
    all_now: dict[str, Finding], appeared: list[Finding], gone: list[Finding], *, first: bool
) -> Iterator[str]:
    yield count(len(all_now), "finding")
    if not first:
        yield f"{len(appeared)} new"
        yield f"{len(gone)} gone"


def _line(word: str, finding: Finding) -> Text:
    role = "error" if word == "new" else "outcome.proven"
    level = finding.severity.value
    place = visible(finding.location.words)
    return Text.assemble(
        (word.ljust(5), role),
        (level, f"severity.{level}"),
        " ",
        (f"{finding.rule} {finding.name}", "rule"),
        "  ",
        (place, "path"),
    )
