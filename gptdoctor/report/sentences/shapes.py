"""The sentences of the rules about shapes."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Status
from gptdoctor.report.amounts import Values, percent
from gptdoctor.report.sentences.sentence import Sentence


def _transposed(values: Values, status: Status) -> str | None:
    influence, cases = values.number("row_influence"), values.integer("cases")
    if status is Status.REFUTED:
        told = "gave logits of the right shape, and no row of a batch changed another"
        return f"all {cases} pairs of batch and length {told}" if cases else None
    parts = []
    case = (values.text("case") or "some sizes").replace(" T=", ", T=")
    if values.text("error"):
        parts.append(f"forward fails at {case} ({values.text('error')})")
    elif values.numbers("logits_shape"):
        shape = ", ".join(str(int(size)) for size in values.numbers("logits_shape"))
        parts.append(f"at {case} the logits have the shape [{shape}]")
    if influence:
        told = "at B = T the rows of a batch change each other's logits by up to"
        parts.append(f"{told} {percent(influence)}")
    return "; ".join(parts) or None


def _crash(values: Values, status: Status) -> str | None:
    """The instance alone: the message of the finding tells the error and the shapes."""
    build, fails = values.text("build"), values.text("fails")
    return f"`{build}` fails {fails}" if build and fails else None


SENTENCES: Mapping[str, Sentence] = {
    "GD301": _transposed,
    "GD302": _crash,
}
