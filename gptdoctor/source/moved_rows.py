"""How far rows are moved against time by an operation that leaves them as long as they are."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_turns import number
from gptdoctor.source.names import called_name
from gptdoctor.source.value_ways import keyword, operation, shaped_from

JOINS = frozenset({"cat", "concat", "concatenate"})
TIME = (1, -1)  # of [B, T]
BOTH = 2  # what is joined: rows, and what takes the place of the token that was cut off


def rows_moved(call: ast.Call, function: Function) -> int | None:
    """How many places earlier each token stands; None where a call moves nothing, or who knows.

    `ids.roll(-1, dims=1)` and `cat([ids[:, 1:], end], 1)` move them by one, of which the slice
    tells the latter; `ids.roll(1, 1)` and `cat([start, ids[:, :-1]], 1)` by minus one.
    """
    name = called_name(call)
    if name in JOINS:
        parts = _joined(call)
        return None if parts is None or not _in_time(call, 1) else -int(_ends(parts[1]))
    roll = rolled(call, function)
    places = None if roll is None or roll.shift is None else number(roll.shift)
    if roll is None or places is None:
        return None
    return -places if roll.dimension is not None and number(roll.dimension) in TIME else None


@dataclass(frozen=True, eq=False)
class Roll:
    """What a roll is given."""

    tensor: ast.expr
    shift: ast.expr | None
    dimension: ast.expr | None


def rolled(call: ast.Call, function: Function) -> Roll | None:
    """`ids.roll(-1, 1)` or `torch.roll(ids, -1, dims=1)`; None where nothing is rolled."""
    made = operation(call, function) if called_name(call) == "roll" else None
    if made is None:
        return None
    further = [one for one in call.args if one is not made[1]]
    return Roll(
        tensor=made[1],
        shift=keyword(call, "shifts") or (further[0] if further else None),
        dimension=keyword(call, "dims") or (further[1] if len(further) > 1 else None),
    )


def moved_from(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value is the same numbers as, in another shape, type or place: a `Follow`."""
    if isinstance(value, ast.Call) and rows_moved(value, function) is not None:
        parts = _joined(value) if called_name(value) in JOINS else None
        if parts is not None:
            return [parts[1] if _ends(parts[1]) else parts[0]]
        made = operation(value, function)
        return [] if made is None else [made[1]]
    return shaped_from(value, function)


def _joined(call: ast.Call) -> list[ast.expr] | None:
    """The two parts of a join, of which one is a row without its first or its last token."""
    given = call.args[0] if call.args else None
    parts = given.elts if isinstance(given, ast.List | ast.Tuple) else []
    sliced = len(parts) == BOTH and (_begins(parts[0]) != _ends(parts[1]))
    return parts if sliced else None


def _in_time(call: ast.Call, index: int) -> bool:
    dimension = keyword(call, "dim") or (call.args[index] if len(call.args) > index else None)
    return dimension is not None and number(dimension) in TIME


def _begins(value: ast.expr) -> bool:
    """`ids[:, 1:]`"""
    cut = _time_of(value)
    return (
        cut is not None and cut.upper is None and cut.lower is not None and number(cut.lower) == 1
    )


def _ends(value: ast.expr) -> bool:
    """`ids[:, :-1]`"""
    cut = _time_of(value)
    return (
        cut is not None and cut.lower is None and cut.upper is not None and number(cut.upper) == -1
    )


def _time_of(value: ast.expr) -> ast.Slice | None:
    """The slice of [B, T] in time."""
    index = value.slice if isinstance(value, ast.Subscript) else None
    parts = index.elts if isinstance(index, ast.Tuple) else []
    last = parts[-1] if len(parts) == BOTH else None
    return last if isinstance(last, ast.Slice) else None
