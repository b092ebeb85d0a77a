"""Loops over the places of a top-k that take the number of a place for that of an expert.

    for slot in range(k):
        out += weights[..., slot, None] * self.experts[slot](x)

The first k experts work for every token, whatever was chosen: nothing reads the choice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.value_ways import keyword, operation


def experts_by_slot(loop: ast.For, function: Function) -> Iterator[ast.Subscript]:
    """The places of a loop's body that pick an expert so."""
    slot = loop.target.id if isinstance(loop.target, ast.Name) else ""
    if not slot or "topk" not in function.text or called_name(loop.iter) != "range":
        return
    ranged = loop.iter.args if isinstance(loop.iter, ast.Call) else []
    nodes = [node for one in loop.body for node in every_node(one)]
    picks = [one for one in nodes if _is_pick(one, slot)]
    shares = [one for one in nodes if _is_share(one, slot)]
    if len(ranged) != 1 or len(picks) != 1 or not shares or not _is_called(picks[0], nodes):
        return
    choice = _choice_of(text_of(ranged[0]), function)
    if choice is not None and _is_unread(choice, function):
        yield from (one for one in picks if isinstance(one, ast.Subscript))


def _is_pick(node: ast.AST, slot: str) -> bool:
    """`self.experts[slot]`."""
    if not isinstance(node, ast.Subscript) or self_attribute(node.value) is None:
        return False
    return isinstance(node.slice, ast.Name) and node.slice.id == slot


def _is_share(node: ast.AST, slot: str) -> bool:
    """`weights[..., slot]`, of a local name."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
        return False
    places = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    return any(isinstance(one, ast.Name) and one.id == slot for one in places)


def _is_called(pick: ast.AST, nodes: list[ast.AST]) -> bool:
    """Whether what is picked is called, there or by the name that it is given."""
    names = {
        one.targets[0].id
        for one in nodes
        if isinstance(one, ast.Assign)
        and one.value is pick
        and isinstance(one.targets[0], ast.Name)
    }
    called = [one.func for one in nodes if isinstance(one, ast.Call)]
    return any(one is pick or getattr(one, "id", None) in names for one in called)


def _choice_of(count: str, function: Function) -> ast.Call | None:
    """The one top-k of a function, if it takes as many as the loop has turns."""
    found = [one for one in own_nodes(function.node) if called_name(one) == "topk"]
    call = found[0] if len(found) == 1 else None
    made = operation(call, function) if isinstance(call, ast.Call) else None
    if not isinstance(call, ast.Call) or made is None:
        return None
    places = [one for one in call.args if one is not made[1]]
    taken = places[0] if places else keyword(call, "k")
    return call if taken is not None and text_of(taken) == count else None


def _is_unread(choice: ast.Call, function: Function) -> bool:
    """Whether nothing reads which were chosen: the indices of a top-k, whole or by name."""
    names = function.bindings.names_given.get(choice, [])
    bound = [(name, one) for name in names for one in function.bindings.by_name[name]]
    own = [(name, one) for name, one in bound if one.value is choice]
    whole = {name for name, one in own if one.index is None}
    second = {name for name, one in own if one.index == 1}
    if not own or any(loads_of(function).get(name) for name in second):
        return False
    values = [one for one in own_nodes(function.node) if _is_values(one, whole)]
    return all(len(loads_of(function).get(name, ())) == len(values) for name in whole)


def _is_values(node: ast.AST, names: set[str]) -> bool:
    """`best.values` and `best[0]`."""
    if isinstance(node, ast.Attribute):
        return node.attr == "values" and getattr(node.value, "id", None) in names
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
        return False
    return node.slice.value == 0 and getattr(node.value, "id", None) in names
