"""Sums that a function adds up turn by turn, from nothing on."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.text_values import number_of
from gptdoctor.source.value_ways import operation

# A number made into a tensor, or a list into one, is still its sum.
_COPYING = frozenset({"tensor", "as_tensor", "FloatTensor", "Tensor"})
_MEANS = frozenset({"sum", "mean", "fmean"})


def addends(value: ast.expr, function: Function) -> list[ast.expr]:
    """What a value was added up of: `total += x` from 0 on, `sum(xs)` of a list that grew by x.

    Divisions and factors, as by a number of batches, change nothing; [] where it is no such sum.
    """
    value = _plain(value, function)
    if isinstance(value, ast.Call):
        return _of_list(value, function)
    return list(_added(value.id, function)) if isinstance(value, ast.Name) else []


def _plain(value: ast.expr, function: Function) -> ast.expr:
    """The sum behind its copies and its divisions."""
    while True:
        made = operation(value, function)
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div | ast.Mult):
            value = value.left
        elif made is not None and made[0] in _COPYING:
            value = made[1]
        else:
            return value


def _added(name: str, function: Function) -> Iterator[ast.expr]:
    """What is added to a name that begins as a number; nothing where anything else is done."""
    if any(one.value is None for one in function.bindings.by_name.get(name, [])):
        return
    found = []
    for node in own_nodes(function.node):
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            if number_of(node.value, function) is None:
                return
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            found += [node.value] if name in _targets(node) else []
    yield from found


def _of_list(call: ast.Call, function: Function) -> list[ast.expr]:
    """The elements that are appended to the list which a call takes the sum or the mean of."""
    called = function.module.names.called(call) or ""
    given = call.args[0] if call.args else None
    if called.rpartition(".")[2] not in _MEANS or not isinstance(given, ast.Name | ast.ListComp):
        return []
    if isinstance(given, ast.ListComp):
        return [given.elt]
    return [
        node.args[0]
        for node in own_nodes(function.node)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "append"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == given.id
        and len(node.args) == 1
    ]


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {one.id for one in targets if isinstance(one, ast.Name)}
