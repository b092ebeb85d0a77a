"""Whether a value surely holds floating-point numbers: what a layer made, or is given to one."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_operations import RESHAPING
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name

_MAKING = re.compile(r"torch\.nn\.(Linear|Embedding|LayerNorm|RMSNorm|Conv\dd|GELU|ReLU|SiLU)$")
_TAKING = re.compile(r"torch\.nn\.(Linear|LayerNorm|RMSNorm|Conv\dd|BatchNorm\dd|LSTM|GRU)$")
_PLAIN = frozenset({"dropout", "contiguous", "softmax", "matmul", "bmm", "einsum", "clone", "mul"})
DEEPEST = 12  # expressions followed from one to the next


def is_float(value: ast.expr, function: Function, depth: int = 0) -> bool:
    """Whether a value holds floating-point numbers, by the layers around it."""
    if depth > DEEPEST:
        return False
    if isinstance(value, ast.Name):
        found = function.reaching(value)
        return bool(found) and all(
            value.id in _given_to_layers(function)
            if one.role is Role.ARGUMENT
            else one.role is Role.CHANGED
            or (one.value is not None and is_float(one.value, function, depth + 1))
            for one in found
        )
    if isinstance(value, ast.Subscript):
        return is_float(value.value, function, depth + 1)
    if isinstance(value, ast.BinOp):
        sides = value.left, value.right
        divided = isinstance(value.op, ast.Div)
        return divided or any(is_float(one, function, depth + 1) for one in sides)
    if isinstance(value, ast.GeneratorExp | ast.ListComp):
        return is_float(value.elt, function, depth + 1)
    return isinstance(value, ast.Call) and _makes_float(value, function, depth)


def _makes_float(call: ast.Call, function: Function, depth: int) -> bool:
    own = self_attribute(call.func)
    if own is not None:
        return _is_layer(own, _MAKING, function)
    if called_name(call) not in RESHAPING | _PLAIN:
        return False
    given = [*call.args[:2]]
    if isinstance(call.func, ast.Attribute):
        given.insert(0, call.func.value)
    return any(is_float(one, function, depth + 1) for one in given)


@kept(32)
def _given_to_layers(function: Function) -> frozenset[str]:
    """The names that a function hands to layers that take floating-point numbers alone."""
    return frozenset(
        node.args[0].id
        for node in own_nodes(function.node)
        if isinstance(node, ast.Call)
        and node.args
        and isinstance(node.args[0], ast.Name)
        and (own := self_attribute(node.func)) is not None
        and _is_layer(own, _TAKING, function)
    )


def _is_layer(name: str, kind: re.Pattern[str], function: Function) -> bool:
    """Whether an attribute of the class is made as such a layer of torch's, wherever it is."""
    owner = function.owner
    made = [] if owner is None else owner.attributes.get(name, [])
    called = function.module.names.called
    return bool(made) and all(kind.match(called(one) or "") for one in made)
