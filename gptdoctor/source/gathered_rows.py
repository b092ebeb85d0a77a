"""Losses by hand that shift rows behind one another: `logp[:-1].gather(1, y[1:, None])`."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_turns import number
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.scores import scores_of
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import operation

_FLAT = frozenset({"flatten", "view", "reshape"})


def gathered_across(
    node: ast.AST, project: Project, function: Function
) -> tuple[ast.expr, ast.expr] | None:
    """The labels and the logarithms that a gather pairs with a shift of rows that lie flat."""
    made = operation(node, function) if isinstance(node, ast.Call) else None
    if made is None or not isinstance(node, ast.Call):
        return None
    index = next((one for one in reversed(node.args) if one is not made[1]), None)
    labels = None if index is None else _inner(index)
    scores = made[1]
    cut = isinstance(scores, ast.Subscript) and _bounds(scores.slice) == (None, -1)
    if not cut or labels is None or not isinstance(scores, ast.Subscript):
        return None
    if not _is_flat(labels.value, function) or not _is_flat(scores.value, function):
        return None
    kind = scores_of(scores.value, function, project)
    known = kind is not None and kind.kind == "log_softmax"
    return (labels, scores) if known else None


def _inner(index: ast.expr) -> ast.Subscript | None:
    """`y[1:]` of `y[1:, None]`, `y[1:].unsqueeze(1)` and `y[1:][:, None]`."""
    while isinstance(index, ast.Call) and isinstance(index.func, ast.Attribute):
        index = index.func.value
    if not isinstance(index, ast.Subscript):
        return None
    first = index.slice.elts[0] if isinstance(index.slice, ast.Tuple) else index.slice
    if _bounds(first) == (1, None):
        return index
    return _inner(index.value) if _bounds(first) == (None, None) else None


def _bounds(index: ast.expr) -> tuple[int | None, int | None]:
    """Where a slice begins and ends; (0, 0) for what is none."""
    if not isinstance(index, ast.Slice) or index.step is not None:
        return 0, 0
    ends = [None if one is None else number(one) for one in (index.lower, index.upper)]
    return ends[0], ends[1]


def _is_flat(value: ast.expr, function: Function) -> bool:
    """Whether rows lie behind one another: `x.flatten(0, 1)`, `y.view(-1)`."""
    if isinstance(value, ast.Name):
        value = bound_to(value, function) or value
    if called_name(value) not in _FLAT or not isinstance(value, ast.Call):
        return False
    places = [number(one) for one in value.args]
    return (
        places[:2] == [0, 1]
        if called_name(value) == "flatten" and places
        else (called_name(value) == "flatten" or places[:1] == [-1])
    )
