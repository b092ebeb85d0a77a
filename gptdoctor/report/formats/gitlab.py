"""GitLab's code quality report: an artifact of a job, shown at the lines of a merge request.

The fields are those of GitLab's documentation ("Code Quality report format"), and the two more
that Code Climate asks for, whose reports these are: what reads the one reads the other. A
description is one line there, in which backticks mark code. GitLab compares two reports by
fingerprint alone, so that each is there once. It counts from the top of the repository and shows
no columns; the line of a notebook's cell is no line of its file, so that these stand at the first
one and tell the cell.
"""

from __future__ import annotations

import json
from typing import Any, TextIO

from gptdoctor.core.findings import Severity
from gptdoctor.report.checked import Checked
from gptdoctor.report.entries import Entry, entries_of
from gptdoctor.report.prose import visible

# "blocker" is for what may not be released, and that is not ours to say.
SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "major",
    Severity.MEDIUM: "minor",
    Severity.LOW: "info",
}


def write(checked: Checked, stream: TextIO) -> None:
    """The list of issues."""
    entries = entries_of(checked.examination, checked.in_repository)
    issues = [_issue(entry) for entry in entries]
    stream.write(f"{json.dumps(issues, indent=2, allow_nan=False)}\n")


def _issue(entry: Entry) -> dict[str, Any]:
    where = entry.location
    in_file = where.in_cell is None
    cell = "" if in_file else f"{where.words}: "
    lines = {"begin": where.line, "end": where.end_line} if in_file else {"begin": 1, "end": 1}
    told = f"{cell}{entry.title}: {entry.told}"
    return {
        "type": "issue",
        "description": visible(" ".join(told.split())),
        "check_name": entry.code,
        "categories": ["Bug Risk"],
        "fingerprint": entry.fingerprint,
        "severity": SEVERITIES[entry.severity],
        "location": {"path": where.path, "lines": lines},
    }
