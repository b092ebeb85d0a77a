"""The same as `json`, one object a line, for what reads line by line.

The "type" of a line tells what it is, and its other fields are those that the object of that type
has in the JSON document: "run" (versions and environment) first, then "model", "finding",
"suppressed" (a finding that the user set aside), "error", "skipped" and "remark", and "summary" at
the end, so that a reader knows that nothing is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from gptdoctor.report.checked import Checked
from gptdoctor.report.json_document import to_document

_KINDS = {
    "models": "model",
    "findings": "finding",
    "suppressed": "suppressed",
    "errors": "error",
    "skipped": "skipped",
}


def write(checked: Checked, stream: TextIO) -> None:
    """The lines."""
    document = to_document(checked.examination, gate=checked.gate)
    for kind, content in _objects(document):
        stream.write(f"{json.dumps({'type': kind, **content}, allow_nan=False)}\n")


def _objects(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "run", {key: document[key] for key in ("schema_version", "version", "environment")}
    for key, kind in _KINDS.items():
        yield from ((kind, member) for member in document[key])
    yield from (("remark", {"text": remark}) for remark in document["remarks"])
    yield "summary", document["summary"]
