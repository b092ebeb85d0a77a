"""Evidence in words: what was measured, for a person.

Evidence is typed values until here. The rules whose numbers need a sentence have one in
`sentences/`; any other rule's values are told by their keys, which are words with a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gptdoctor.core.findings import Evidence, Status, Value
from gptdoctor.report.amounts import Values, decimal, duration, percent, some, whole
from gptdoctor.report.sentences import sentence_of

_NOTHING = "no numbers were kept"


def evidence_sentence(rule: str, evidence: Evidence) -> str:
    """What stands behind a status, to be read after the status itself."""
    if evidence.status is Status.SUSPECTED:
        return evidence.reason or "nothing measured it"
    by = f"by {evidence.probe}" if evidence.probe else "by a measurement"
    return f"{by}: {values_sentence(rule, evidence) or _NOTHING}"


def values_sentence(rule: str, evidence: Evidence) -> str:
    """The measured values as one sentence without a capital and a full stop."""
    if not evidence.values:
        return evidence.reason or ""
    write = sentence_of(rule)
    told = write(Values(evidence.values), evidence.status) if write else None
    return told or by_keys(evidence.values)


def by_keys(values: Mapping[str, Value]) -> str:
    """Any values, told by their keys."""
    told = [f"{_label(key)} {_value(key, value)}" for key, value in values.items()]
    return "; ".join(told)


# The ends of keys that name a unit, with what a number of it looks like.
_UNITS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("_seconds", duration),
    ("_milliseconds", lambda number: duration(number / 1000)),
    ("_nats", lambda number: f"{decimal(number)} nats"),
    ("_share", percent),
    ("_shares", percent),
    ("_fraction", percent),
    ("_bytes", lambda number: f"{whole(int(number))} bytes"),
)


def _label(key: str) -> str:
    for unit, _ in _UNITS:
        key = key.removesuffix(unit)
    return key.replace("_", " ")


def _value(key: str, value: Value) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value or "none"
    if isinstance(value, tuple):
        members = [_value(key, member) for member in value]
        return some(members) if members else "none"
    for unit, write in _UNITS:
        if f"_{key}".endswith(unit):
            return write(value)
    return whole(value) if isinstance(value, int) else decimal(value)
