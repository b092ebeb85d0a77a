"""Labels that are moved along by one after their rows were put behind one another."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_turns import number
from gptdoctor.source.label_offsets import FLATTENS
from gptdoctor.source.loss_calls import LossCall
from gptdoctor.source.moved_rows import rolled
from gptdoctor.source.names import called_name
from gptdoctor.source.value_ways import Way, shaped_from, ways_of

JOINS = frozenset({"cat", "concat", "concatenate", "hstack"})


def rolled_across(loss: LossCall) -> ast.expr | None:
    """Where the labels of a loss are moved from row to row, or None."""
    scores = ways_of(loss.scores, loss.function, shaped_from)
    if not scores or not all(_is_flattened(one) for one in scores):
        return None  # whether there is more than one row is not told
    for way in ways_of(loss.targets, loss.function, shaped_from):
        source = way.source if way.binding is None else None
        moves = isinstance(source, ast.Call) and _moves(source, loss.function)
        if moves and not _ends_are_marked(way, loss.function):
            return source
    return None


def _moves(call: ast.Call, function: Function) -> bool:
    """`ids.flatten().roll(-1)`, `torch.roll(ids, -1)`, `cat([flat[1:], end])`."""
    name = called_name(call)
    if name in JOINS:
        parts = call.args[0] if call.args else None
        first = parts.elts[0] if isinstance(parts, ast.List | ast.Tuple) and parts.elts else None
        begins = isinstance(first, ast.Subscript) and _begins_later(first.slice)
        return begins and isinstance(first, ast.Subscript) and _is_flat(first.value, function)
    roll = rolled(call, function)
    if roll is None or roll.shift is None or (number(roll.shift) or 0) >= 0:
        return False
    # Without a dimension all of a tensor is rolled as one row.
    return roll.dimension is None or _is_flat(roll.tensor, function)


def _begins_later(index: ast.expr) -> bool:
    lower = number(index.lower) if isinstance(index, ast.Slice) and index.lower else None
    return lower is not None and lower > 0


def _is_flattened(way: Way) -> bool:
    return any(called_name(one) in FLATTENS for one in way.steps)


def _is_flat(value: ast.expr, function: Function) -> bool:
    """Whether a value is a single row: `x.flatten()`, `x.view(-1)`."""
    ways = ways_of(value, function, shaped_from)
    return bool(ways) and all(any(map(_makes_row, one.steps)) for one in ways)


def _makes_row(step: ast.AST) -> bool:
    name = called_name(step)
    if not isinstance(step, ast.Call) or name not in FLATTENS:
        return False
    if name in ("flatten", "ravel"):
        return not step.args and not step.keywords
    return [number(one) for one in step.args] == [-1]


def _ends_are_marked(way: Way, function: Function) -> bool:
    """Whether more than the very last label is written to: the ends of all rows, perhaps."""
    names = {one.id for one in way.steps if isinstance(one, ast.Name)}
    for node in own_nodes(function.node):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            written = isinstance(target, ast.Subscript) and _root(target) in names
            if written and isinstance(target, ast.Subscript) and number(target.slice) != -1:
                return True
    return False


def _root(target: ast.expr) -> str:
    """The name of `gold[-1]`, and of `gold.view(2, -1)[:, -1]`."""
    while not isinstance(target, ast.Name):
        if isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
        elif isinstance(target, ast.Call):
            target = target.func
        else:
            return ""
    return target.id
