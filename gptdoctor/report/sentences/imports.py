"""The sentences of the rules about imports."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values
from gptdoctor.report.sentences.sentence import Sentence


def _import(values: Values, status: Status) -> str | None:
    error = values.text("error")
    if status is Status.REFUTED:
        if values.flag("imported"):
            return "every import that ran found what it asked for"
        return f"the code goes on without it ({error})" if error else None
    if error is None:
        return None
    if values.flag("needed"):
        return f"{error}; the model cannot be built without it"
    return f"{error}; a stand-in let the model be examined all the same"


def _call(values: Values, status: Status) -> str | None:
    if status is Status.REFUTED:
        return "the model was built and called, and every call that ran was accepted"
    error, stage = values.text("error"), values.text("stage")
    return f"{error}, in {stage}" if error and stage else error


SENTENCES: Mapping[str, Sentence] = {
    "GD501": _import,
    "GD502": _call,
}
