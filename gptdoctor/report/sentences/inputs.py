"""The sentences of the rules about inputs."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, joined
from gptdoctor.report.sentences.sentence import Sentence


def _empty_input(values: Values, status: Status) -> str | None:
    inputs = joined(values.names("inputs"), "or")
    if not inputs:
        return None
    if values.text("error"):
        return f"called with no {inputs}, it raises {values.text('error')}"
    returned = values.text("returned")
    return f"called with no {inputs}, it returns a {returned}" if returned else None


SENTENCES: Mapping[str, Sentence] = {
    "GD701": _empty_input,
}
