"""Sums into rows of which some are named twice: `out[rows] += y` keeps the last of them alone."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_experts import resolved
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.value_ways import keyword, operation

# Row numbers in another form, or on another device.
SAME = frozenset({"flatten", "reshape", "view", "long", "to", "contiguous", "clone", "squeeze"})
DEEPEST = 8  # from name to name


def repeats_rows(statement: ast.AugAssign, function: Function) -> str:
    """How the rows that a sum is written to name tokens several times; "" where they do not.

    Each token stands there once for each expert that it chose.
    """
    target = statement.target
    if not isinstance(statement.op, ast.Add) or not isinstance(target, ast.Subscript):
        return ""
    if isinstance(target.slice, ast.Tuple | ast.Slice | ast.Constant):
        return ""
    counts = _counts(function)
    if not counts or _in_loop(statement, function):
        return ""  # one expert has a token once
    return _repeated(target.slice, function, counts, 0)


def _counts(function: Function) -> frozenset[str]:
    """How many experts each token chooses, as the function writes it; none where it is one."""
    found: set[str] = set()
    for node in own_nodes(function.node):
        if isinstance(node, ast.Call) and called_name(node) == "topk":
            torch = (function.module.names.called(node) or "").startswith("torch.")
            given = node.args[1:] if torch else node.args
            count = keyword(node, "k") or next(iter(given), None)
            if count is not None and not (isinstance(count, ast.Constant) and count.value == 1):
                found |= {text_of(count), text_of(resolved(count, function))}
    return frozenset(found)


def _in_loop(statement: ast.AugAssign, function: Function) -> bool:
    around = function.statements_around(statement)
    return any(isinstance(one, ast.For | ast.While) for one, _ in around)


def _repeated(value: ast.expr, function: Function, counts: frozenset[str], depth: int) -> str:
    """The text by which row numbers stand several times in a value."""
    value = resolved(value, function)
    if depth > DEEPEST:
        return ""
    if isinstance(value, ast.Subscript):  # in another order
        return _repeated(value.value, function, counts, depth + 1)
    if isinstance(value, ast.BinOp):
        divided = isinstance(value.op, ast.FloorDiv)
        return text_of(value) if divided and _is_count(value.right, function, counts) else ""
    made = operation(value, function)
    if made is None or not isinstance(value, ast.Call):
        return ""
    name, base = made
    given = [one for one in value.args if one is not base]
    if name in ("div", "floor_divide", "repeat_interleave"):
        count = keyword(value, "other", "repeats") or next(iter(given), None)
        floor = name != "div" or keyword(value, "rounding_mode") is not None
        known = count is not None and floor and _is_count(count, function, counts)
        return text_of(value) if known else ""
    return _repeated(base, function, counts, depth + 1) if name in SAME else ""


def _is_count(value: ast.expr, function: Function, counts: frozenset[str]) -> bool:
    return not counts.isdisjoint({text_of(value), text_of(resolved(value, function))})
