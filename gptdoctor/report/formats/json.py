"""The whole result as one JSON object; `schema.json` in `report/` describes it."""

from __future__ import annotations

import json
from typing import TextIO

from gptdoctor.report.checked import Checked
from gptdoctor.report.json_document import to_document


def write(checked: Checked, stream: TextIO) -> None:
    """The object, indented."""
    document = to_document(checked.examination, gate=checked.gate)
    stream.write(f"{json.dumps(document, indent=2, allow_nan=False)}\n")
