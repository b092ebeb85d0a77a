"""Tokens that are shut out by their place in an order: `z.scatter(-1, order[:, k:], -inf)`."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.names import called_name
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.token_cuts import descends
from gptdoctor.source.value_ways import is_lowest, operation

_PLACES = 2  # that stand before what is written: the dimension, and where


def likeliest_shut_out(order: ast.Call, function: Function) -> ast.Call | None:
    """Where the likeliest tokens are shut out that an argsort or a sort has put in order.

    Of a rising order those from k on are the likeliest, of a falling one those up to the last k.
    """
    falling = descends(order)
    if falling is None or "scatter" not in function.text:
        return None
    for node in own_nodes(function.node):
        if not isinstance(node, ast.Call) or called_name(node) not in ("scatter", "scatter_"):
            continue
        made = operation(node, function)
        given = [one for one in node.args if made is not None and one is not made[1]]
        if len(given) <= _PLACES or not is_lowest(given[_PLACES]):
            continue
        after = _part(given[1], order, function)
        if after is not None and after is not falling:
            return node
    return None


def _part(value: ast.expr, order: ast.Call, function: Function) -> bool | None:
    """Whether places are those from the k-th on; False: those up to the last k; None: others."""
    if isinstance(value, ast.Name):
        value = bound_to(value, function) or value
    index = value.slice if isinstance(value, ast.Subscript) else None
    last = index.elts[-1] if isinstance(index, ast.Tuple) and index.elts else None
    whole = isinstance(value, ast.Subscript) and _is_order(value.value, order, function)
    if not whole or not isinstance(last, ast.Slice) or last.step is not None:
        return None
    if last.upper is None and isinstance(last.lower, ast.Name | ast.Attribute):
        return True
    backward = isinstance(last.upper, ast.UnaryOp) and isinstance(last.upper.op, ast.USub)
    return False if last.lower is None and backward else None


def _is_order(value: ast.expr, order: ast.Call, function: Function) -> bool:
    """Whether a value is the places that a sort gives."""
    sorts = called_name(order) == "sort"
    if isinstance(value, ast.Attribute) and value.attr == "indices":
        return sorts and _is_call(value.value, order, function)
    if isinstance(value, ast.Name) and sorts:
        found = function.reaching(value)
        one = found[0] if len(found) == 1 else None
        second = one is not None and one.role is Role.ITEM and one.index == 1
        return second and one is not None and one.value is order
    return not sorts and _is_call(value, order, function)


def _is_call(value: ast.expr, call: ast.Call, function: Function) -> bool:
    bound = bound_to(value, function) if isinstance(value, ast.Name) else value
    return bound is call
