"""Runs gptdoctor on cases, and reads what it found from its JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutations.cases import ROOT, Case
from benchmarks.mutations.kept import keep, kept
from gptdoctor.core.findings import Severity, Status

BATCH = 10  # files in one call: torch is imported once for all of them
KEYS = ("findings", "models", "errors")
CHECK = ["check", "--no-cache", "--output-format", "json", "--exit-zero"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """One finding about a case."""

    rule: str
    severity: str
    status: str  # confirmed, suspected, refuted
    line: int
    text: str  # of its line, without the space around it: a place that survives moved lines

    @property
    def key(self) -> tuple[str, str]:
        """What the same finding has in common in a mutant and in its base."""
        return self.rule, self.text


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What gptdoctor said of a case, in the order of its report."""

    findings: tuple[Found, ...]
    verdict: str
    errors: tuple[str, ...] = ()

    @property
    def confirmed(self) -> tuple[Found, ...]:
        """The findings that a measurement shows."""
        return tuple(one for one in self.findings if one.status == "confirmed")


def examine(cases: list[Case], folder: Path) -> Iterator[tuple[Case, Examined]]:
    """Each case with what gptdoctor says of it; the files are written below `folder`."""
    for case, document in documents(cases, folder):
        yield case, examined(case, document)


def documents(cases: list[Case], folder: Path) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Each case with the JSON about it alone; the files are written below `folder`."""
    targets = {case.name: case.write(folder) for case in cases}
    told = {case.name: known for case in cases if (known := kept(case)) is not None}
    asked = [case for case in cases if case.name not in told]
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        answer = _checked([targets[case.name] for case in batch], folder)
        for case in batch:
            told[case.name] = _about(case, answer)
            keep(case, told[case.name])
        print(f"{start + len(batch)} of {len(asked)} examined", file=sys.stderr)
    for case in cases:
        yield case, told[case.name]


def _about(case: Case, answer: dict[str, Any]) -> dict[str, Any]:
    mine = f"{case.folder}/"
    parts = {key: [one for one in answer[key] if one["path"].startswith(mine)] for key in KEYS}
    return {**answer, **parts}


def _checked(targets: list[str], folder: Path) -> dict[str, Any]:
    """The JSON of one call; where there is none, of a call for each target."""
    command = [sys.executable, "-m", "gptdoctor", *CHECK, *targets]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        if len(targets) == 1:
            error = {"path": targets[0], "message": f"gptdoctor failed: {done.stderr[-300:]}"}
            return {"findings": [], "models": [], "errors": [error]}
        apart = [_checked([target], folder) for target in targets]
        answer = {key: [one for part in apart for one in part[key]] for key in KEYS}
    return answer


def _rank(one: Found) -> tuple[int, int, int, str]:
    """The order in which the terminal and the documents tell findings."""
    return Severity(one.severity).rank, Status(one.status).rank, one.line, one.rule


def examined(case: Case, document: dict[str, Any]) -> Examined:
    """The JSON about a case, in a few words."""
    lines = case.source.splitlines()
    findings = [
        Found(
            rule=one["rule"],
            severity=one["severity"],
            status=one["evidence"]["status"],
            line=one["line"],
            text=lines[one["line"] - 1].strip() if one["line"] <= len(lines) else "",
        )
        for one in document["findings"]
    ]
    findings.sort(key=_rank)  # JSON is by line; a reader is shown the worst first
    return Examined(
        findings=tuple(findings),
        verdict=", ".join(one["verdict"] for one in document["models"]) or "no model",
        errors=tuple(one["message"] for one in document["errors"]),
    )
