"""Causal masks over cached keys whose rows begin at the first position: `mask[:T, :S]`.

With keys of earlier calls joined before those of this one, the queries are the newest positions.
Their rows are the last ones of the table, `mask[S - T : S, :S]`, or a triangle that lies S - T
higher; the first rows hide all but the oldest keys.
"""

from __future__ import annotations

import ast

from gptdoctor.source.batch_order import size_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.mask_tables import TRIANGLES, operand
from gptdoctor.source.mask_uses import Use
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.text_values import bound_to

_JOINING = frozenset({"cat", "concat", "concatenate"})
_EARLIER = ("past", "cache", "prev", "state", "memory")  # what keys of earlier calls are called
_PAIR = 2  # the dimensions of a table: queries and keys
DEEPEST = 8


def misaligned(use: Use) -> ast.expr | None:
    """The corner or the triangle of a mask that is drawn for the first positions, or None."""
    hidden = use.hidden
    if hidden is None or hidden.lower or hidden.offset != 1 or hidden.square:
        return None
    if not any(map(use.function.text.__contains__, _EARLIER)):
        return None
    value: ast.expr | None = use.given
    for _ in range(DEEPEST):
        sizes = [] if value is None else _sizes(value, use.function)
        if sizes:
            apart = len(sizes) == _PAIR and _are_apart(sizes[0], sizes[1], use.function)
            return value if apart else None
        value = None if value is None else _inner(value, use.function)
    return None


def _inner(value: ast.expr, function: Function) -> ast.expr | None:
    """What a mask is, before it was turned round, shaped or given a name."""
    if isinstance(value, ast.Name):
        return bound_to(value, function)
    if isinstance(value, ast.UnaryOp):
        return value.operand
    if isinstance(value, ast.Compare):
        return value.left
    if isinstance(value, ast.Subscript):
        return value.value
    return operand(value, function) if isinstance(value, ast.Call) else None


def _sizes(value: ast.expr, function: Function) -> list[ast.expr]:
    """How many queries and keys a mask is drawn for: `m[:T, :S]`, `tril(ones(T, S))`."""
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Tuple):
        ends = [one for one in value.slice.elts if isinstance(one, ast.Slice) and one.upper]
        plain = all(one.lower is None and one.step is None for one in ends)
        return [one.upper for one in ends if one.upper is not None] if plain else []
    if not isinstance(value, ast.Call) or called_name(value) not in TRIANGLES:
        return []
    table = operand(value, function)
    sizes = list(table.args) if isinstance(table, ast.Call) else []
    if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
        sizes = list(sizes[0].elts)
    return sizes[-_PAIR:]


def _are_apart(queries: ast.expr, keys: ast.expr, function: Function) -> bool:
    """Whether the keys are those of earlier calls and of this one, and the queries are not."""
    asked, held = _sized(queries, function), _sized(keys, function)
    if asked is None or held is None:
        return False
    return _is_joined(held, function) and not _is_joined(asked, function)


def _sized(size: ast.expr, function: Function) -> ast.Name | None:
    """The tensor whose size a number is, as it is read there."""
    value = bound_to(size, function) if isinstance(size, ast.Name) else size
    known = None if value is None else size_of(value)
    names = () if value is None else ast.walk(value)
    return next((one for one in names if isinstance(one, ast.Name) and known), None)


def _is_joined(name: ast.Name, function: Function) -> bool:
    """Whether a tensor may have something of an earlier call joined before it."""
    values = [one.value for one in function.reaching(name) if one.value is not None]
    return any(
        called_name(call) in _JOINING and any(word in ast.unparse(call) for word in _EARLIER)
        for value in values
        for call in calls_below(value)
    )
