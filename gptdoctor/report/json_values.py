"""Values as JSON holds them, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gptdoctor.core.findings import Value

JsonValue = str | int | float | bool | None | list[str | int | float]

# JSON has no such numbers, and `json.dumps` would write words that no other reader accepts.
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(values: Mapping[str, Value]) -> dict[str, JsonValue]:
    """Values in the form of the contract: tuples as lists, "NaN", "Infinity" and "-Infinity"."""
    return {key: _write(value) for key, value in values.items()}


def _write(value: Value) -> JsonValue:
    if isinstance(value, tuple):
        return [_finite(member) for member in value]
    return None if value is None else _finite(value)


def _finite(value: str | int | float | bool) -> str | int | float | bool:
    if isinstance(value, float) and not math.isfinite(value):
        return next(word for word, number in _NOT_FINITE.items() if repr(number) == repr(value))
    return value


def from_json(value: object) -> Value:
    """One value as it was before `to_json`; raises ValueError for what the contract has not."""
    if isinstance(value, list):
        return _tuple(value)
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError("neither a text, a number, a truth value, null nor a list of those")


def _tuple(members: list[object]) -> Value:
    restored = [from_json(member) for member in members]
    if all(isinstance(member, str) for member in restored):
        return tuple(str(member) for member in restored)
    if all(isinstance(member, int) for member in restored):
        return tuple(int(member) for member in restored if isinstance(member, int))
    if all(isinstance(member, int | float) for member in restored):
        return tuple(float(member) for member in restored if isinstance(member, int | float))
    raise ValueError("a list of different kinds")
