"""SARIF 2.1.0, for GitHub's code scanning and every viewer of it.

GitHub's limits are kept ("SARIF support for code scanning"): one run, no more than 25,000 results,
of which it shows 5,000, so that the worst come first; one location a result.

Neither refuted findings nor those that the user set aside are results: GitHub knows neither SARIF's
kind "pass" nor its suppressions, and would raise an alert for each.  They are listed among the
properties of the run.

`partialFingerprints` are our own alone.  GitHub's upload adds the one that it compares by, and
warns at each result that brings another under that name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TextIO
from urllib.parse import quote

from gptdoctor import __version__
from gptdoctor.core.findings import Finding, Status
from gptdoctor.report.amounts import whole
from gptdoctor.report.checked import Checked
from gptdoctor.report.entries import Entry, entries_of, set_aside_entries
from gptdoctor.report.json_values import to_json
from gptdoctor.report.prose import visible
from gptdoctor.report.sarif_rules import LEVELS, rule_object

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
MOST_RESULTS = 25_000
_TOP = "%SRCROOT%"  # the customary name of the top of the repository


def write(checked: Checked, stream: TextIO) -> None:
    """One log with one run."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(checked)]}
    stream.write(f"{json.dumps(log, allow_nan=False, separators=(',', ':'))}\n")


def _run(checked: Checked) -> dict[str, Any]:
    entries = entries_of(checked.examination, checked.in_repository)
    problems = [entry for entry in entries if not _is_error(entry)]
    told = problems[:MOST_RESULTS]
    rules = list(dict.fromkeys((entry.code, entry.name) for entry in told))
    index = {code: number for number, (code, _) in enumerate(rules)}
    return {
        "tool": {
            "driver": {
                "name": "gptdoctor",
                "semanticVersion": __version__,
                "rules": [rule_object(code, name) for code, name in rules],
            }
        },
        "automationDetails": {"id": "gptdoctor/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {
            _TOP: {"description": {"text": "The top of the repository, or of the project."}}
        },
        "invocations": [_invocation(checked, entries, left_out=len(problems) - len(told))],
        "results": [_result(entry, index[entry.code]) for entry in told],
        "properties": _properties(checked),
    }


def _is_error(entry: Entry) -> bool:
    """Whether it says that a file could not be read, and nothing of what is in it."""
    return entry.finding is None and not entry.code.endswith("-model")


def _result(entry: Entry, rule: int) -> dict[str, Any]:
    return {
        "ruleId": entry.code,
        "ruleIndex": rule,
        "level": LEVELS[entry.severity],
        "message": {"text": _message(entry)},
        "locations": [_location(entry)],
        "partialFingerprints": {"gptdoctor/v1": entry.fingerprint},
        "properties": _known(entry),
    }


def _message(entry: Entry) -> str:
    """All sentences. "[a](b)" would be a link, and is code here: `experts[0](x)`."""
    told = entry.told if entry.location.in_cell is None else f"{entry.location.words}: {entry.told}"
    return visible(told).replace("](", "\\](")


def _location(entry: Entry) -> dict[str, Any]:
    where = entry.location
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(where.path), "uriBaseId": _TOP}}
    if where.in_cell is None:  # the line of a cell is no line of the notebook's file
        physical |= _regions(entry)
    symbol = entry.finding.symbol if entry.finding else ""
    logical = {"logicalLocations": [{"fullyQualifiedName": symbol}]} if symbol else {}
    return {"physicalLocation": physical, **logical}


def _regions(entry: Entry) -> dict[str, Any]:
    """The range of an entry, and its line in letters, so that a viewer shows it without the file.

    A region around another has to be wider than that, and one line holds no range of several.
    """
    where, finding = entry.location, entry.finding
    lines = {"startLine": where.line, "endLine": where.end_line}
    if where.line < where.end_line or where.column < where.end_column:
        region: dict[str, Any] = lines | _columns(where.column, where.end_column)
    else:
        region = lines  # it has no width: the whole line is meant
    if finding is None or not finding.excerpt or where.line < where.end_line:
        return {"region": region}
    first = finding.excerpt_column
    last = first + len(finding.excerpt)
    shown = {"snippet": {"text": finding.excerpt}}
    if (where.column, where.end_column) == (first, last):
        return {"region": region | shown}
    around = {"startLine": where.line, **_columns(first, last), **shown}
    holds = first <= where.column < where.end_column <= last
    return {"region": region, **({"contextRegion": around} if holds else {})}


def _columns(first: int, last: int) -> dict[str, int]:
    return {"startColumn": first, "endColumn": last}


def _known(entry: Entry) -> dict[str, Any]:
    """What SARIF has no field for; a fix only has a title until `gptdoctor fix` makes it."""
    finding = entry.finding
    if finding is None:
        return {"severity": entry.severity.value}
    known: dict[str, Any] = {
        "severity": finding.severity.value,
        "status": finding.evidence.status.value,
        "confidence": finding.confidence.value,
    }
    if finding.models:
        known["models"] = [one.name for one in finding.models]
    if finding.evidence.values:
        known["measured"] = to_json(finding.evidence.values)
    if finding.fix is not None:
        known["fix"] = {
            "title": finding.fix.title,
            "applicability": finding.fix.applicability.value,
        }
    return known


def _invocation(checked: Checked, entries: Sequence[Entry], *, left_out: int) -> dict[str, Any]:
    trouble = checked.examination.environment.trouble
    notifications = [_notification(entry) for entry in entries if _is_error(entry)]
    if trouble:
        notifications.append(_notice("no-run", "error", f"No model was run: {trouble}."))
    if left_out:
        told = f"{whole(left_out)} results are left out, the least severe: GitHub takes "
        told += f"{whole(MOST_RESULTS)} of a run."
        notifications.append(_notice("left-out", "warning", told))
    remarks = checked.examination.remarks
    notifications += [_notice("remark", "note", visible(remark)) for remark in remarks]
    return {
        "executionSuccessful": not trouble,
        "exitCode": checked.gate.exit_code,
        "toolExecutionNotifications": notifications,
    }


def _notification(entry: Entry) -> dict[str, Any]:
    notice = _notice(entry.code, "error", _message(entry))
    return notice | {"locations": [_location(entry)]}


def _notice(code: str, level: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": code}, "level": level, "message": {"text": text}}


def _properties(checked: Checked) -> dict[str, Any]:
    """Verdicts, what was refuted, and what was set aside."""
    examination = checked.examination
    return {
        "files": examination.files,
        "live": examination.environment.live,
        "models": [
            {
                "name": model.name,
                "path": model.path,
                "line": model.line,
                "verdict": model.verdict.value if model.verdict else None,
            }
            for model in examination.models
        ],
        "refuted": list(_refuted(examination.findings)),
        "suppressed": [
            _set_aside(entry) for entry in set_aside_entries(examination, checked.in_repository)
        ],
    }


def _set_aside(entry: Entry) -> dict[str, Any]:
    why = entry.finding.suppressed if entry.finding else None
    known = {} if why is None else {"by": why.by.value, "reason": visible(why.reason)}
    return {
        "ruleId": entry.code,
        "place": entry.location.words,
        "fingerprint": entry.fingerprint,
        **known,
    }


def _refuted(findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        if one.evidence.status is Status.REFUTED:
            yield f"{one.rule} at {one.location.words}"
