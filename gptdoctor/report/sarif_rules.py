"""The rules of a SARIF file: what each of them means, for a reader who has only the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gptdoctor.catalog import all_defects, module_of
from gptdoctor.core.findings import Severity
from gptdoctor.defect import Defect
from gptdoctor.report.rule_help import help_markdown, help_text

LONGEST_TEXT = 1024  # characters that GitHub takes of a description
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
# GitHub's word for the level of a query that is not about security.
_PROBLEMS = {"error": "error", "warning": "warning", "note": "recommendation"}
# The verdicts that no rule stands behind.
_VERDICTS: Mapping[str, tuple[Severity, str]] = {
    "untrainable-model": (
        Severity.CRITICAL,
        "A tiny instance of the model was run, and it cannot be trained as it is.",
    ),
    "degraded-model": (
        Severity.MEDIUM,
        "A tiny instance of the model was run: it can be trained, and less well than it could be.",
    ),
    "unexamined-model": (
        Severity.LOW,
        "The model could not be run, so that nothing is known of it but its text.",
    ),
}


def rule_object(code: str, name: str) -> dict[str, Any]:
    """The descriptor of a rule or of a verdict; a bare one for a rule of another version."""
    if code in _VERDICTS:
        severity, told = _VERDICTS[code]
        return _descriptor(code, name, severity, told, told, {"text": told})
    defect = next((one for one in all_defects() if one.code == code), None)
    return {"id": code, "name": name} if defect is None else _of_defect(defect)


def _of_defect(defect: Defect) -> dict[str, Any]:
    told = {"text": help_text(defect), "markdown": help_markdown(defect)}
    made = _descriptor(
        defect.code, defect.name, defect.severity, defect.summary, defect.explanation, told
    )
    family = module_of(defect).partition(".")[0].replace("_", "-")
    made["properties"] |= {"precision": defect.confidence.value, "tags": [family]}
    return made


def _descriptor(
    code: str, name: str, severity: Severity, short: str, full: str, told: dict[str, str]
) -> dict[str, Any]:
    level = LEVELS[severity]
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": shortened(short)},
        "fullDescription": {"text": shortened(full)},
        "help": told,
        "defaultConfiguration": {"level": level},
        "properties": {"problem.severity": _PROBLEMS[level]},
    }


def shortened(text: str) -> str:
    """A text that GitHub takes, cut between two words where it is longer."""
    flat = " ".join(text.split())
    if len(flat) <= LONGEST_TEXT:
        return flat
    return f"{flat[: LONGEST_TEXT - 2].rpartition(' ')[0]} …"
