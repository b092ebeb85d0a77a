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


def _shape(values: Values, key: str) -> str | None:
    """A shape in brackets."""
    sizes = values.numbers(key)
    return f"[{', '.join(str(int(size)) for size in sizes)}]" if sizes else None


def _spread(values: Values, status: Status) -> str | None:
    first, second = _shape(values, "first_shape"), _shape(values, "second_shape")
    if first is None or second is None:
        return None
    return f"{first} meets {second} and makes {_shape(values, 'result_shape')}"


def _form(values: Values, status: Status) -> str | None:
    wrong, right = _shape(values, "logits_shape"), _shape(values, "works_shape")
    if wrong is None or right is None:
        return None
    where = [(values.text(key) or "").replace(" T=", ", T=") for key in ("case", "works_at")]
    return f"logits {wrong} at {where[0]}, and {right} at {where[1]}"


def _last(values: Values, status: Status) -> str | None:
    length, after = values.integer("length"), _shape(values, "after_shape")
    if length is None or after is None:
        return None
    return f"of {length} positions one is kept ({after}), and none reads what comes after it"


def _mixed(values: Values, status: Status) -> str | None:
    change = values.number("relative_change")
    if change is None:
        return None
    return f"with the positions kept in their place the logits change by {percent(change)}"


SENTENCES: Mapping[str, Sentence] = {
    "GD301": _transposed,
    "GD302": _crash,
    "GD303": _spread,
    "GD304": _form,
    "GD306": _mixed,
    "GD307": _last,
}
