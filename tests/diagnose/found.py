"""Findings, comments and examinations, made by hand."""

from __future__ import annotations

from typing import Any

from gptdoctor.catalog import defect_named
from gptdoctor.core.comments import IgnoreComment, MadeOf
from gptdoctor.core.diagnosis import Environment, Examination, ModelDiagnosis, Verdict
from gptdoctor.core.findings import Evidence, Finding, Location, ModelEvidence, Status

PATH = "model.py"
MODEL = "Net"


def place(line: int, path: str = PATH) -> Location:
    """One whole line."""
    return Location(path=path, line=line, column=1, end_line=line, end_column=9)


def finding(rule: str = "GD101", line: int = 9, path: str = PATH, **changes: Any) -> Finding:
    """A finding that nothing has measured, or one that `Net` confirms."""
    defect = defect_named(rule)
    status = changes.pop("status", Status.SUSPECTED)
    evidence = Evidence(status=status, probe=None if status is Status.SUSPECTED else "a-probe")
    fields: dict[str, Any] = {
        "rule": defect.code,
        "name": defect.name,
        "severity": defect.severity,
        "location": place(line, path),
        "symbol": "Net.forward",
        "message": "It is so.",
        "excerpt": f"line({line})",
        "evidence": evidence,
        "model": MODEL,
        "models": (ModelEvidence(name=MODEL, path=PATH, evidence=evidence),),
    }
    return Finding(**(fields | changes))


def comment(*words: str, line: int = 9, **changes: Any) -> IgnoreComment:
    """A comment at a line of model.py, which Net is made of."""
    fields: dict[str, Any] = {
        "location": place(line),
        "excerpt": "x = 1  # gptdoctor: ...",
        "words": words,
        "reason": "",
        "whole_file": False,
        "lines": (line, line),
        "models": (MadeOf(name=MODEL, path=PATH),),
    }
    return IgnoreComment(**(fields | changes))


def model(verdict: Verdict | None = Verdict.TRAINABLE, **changes: Any) -> ModelDiagnosis:
    """Net, measured by all probes that a rule reads, or not run."""
    probes = tuple(sorted({"a-probe", *defect_named("GD101").convicts}))
    fields: dict[str, Any] = {
        "name": MODEL,
        "path": PATH,
        "line": 5,
        "verdict": verdict,
        "reasons": (),
        "measured": probes if verdict else (),
    }
    return ModelDiagnosis(**(fields | changes))


def examination(*findings: Finding, live: bool = True, **changes: Any) -> Examination:
    """An examination of model.py with these findings."""
    fields: dict[str, Any] = {
        "environment": Environment(
            python="3.11", executable="", torch="2.13.0", platform="Linux", seed=0, live=live
        ),
        "models": (model(Verdict.TRAINABLE if live else None),),
        "findings": findings,
        "errors": (),
        "skipped": (),
        "files": 1,
        "seconds": 1.0,
    }
    return Examination(**(fields | changes))
