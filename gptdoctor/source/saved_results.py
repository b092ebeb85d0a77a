"""Writes into results that backward needs as they were.

The derivative of exp is exp itself: such operations keep their result, and torch notices at the
backward pass when somebody has written into it since.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, end, start
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.statements import own_statements

# Operations whose derivative torch computes from their result.
SAVING = ("sigmoid", "tanh", "softmax", "log_softmax", "exp", "sqrt", "rsqrt", "relu", "softmin")
# Methods that end in "_" and write no numbers.
HARMLESS = frozenset({"requires_grad_", "detach_", "share_memory_", "rename_"})
# A call of a method that ends in "_", with what may stand before its arguments.
_IN_PLACE = re.compile(r"_(?<!__)[\s\\)]*[(#]")
_WRITING = (ast.AugAssign, ast.Assign)


def writes_into(call: ast.Call, target: ast.Name, function: Function) -> Iterator[ast.AST]:
    """The places that write into the result of `call`, which was given to a name."""
    after = end(call)
    if not _may_write(target.id, function, after[0]):
        return
    acting = _in_place_layers(function)
    for node in own_nodes(function.node):
        written = written_name(node) or _acted_on(node, acting)
        if written is None or written.id != target.id or start(node) <= after:
            continue
        bindings = function.bindings.reaching(written.id, start(written))
        whole = [one for one in bindings if one.role is not Role.CHANGED]
        if len(whole) == 1 and whole[0].value is call:
            yield node


def _may_write(name: str, function: Function, line: int) -> bool:
    """Whether a call from a line on may write, or a statement of the function writes into a name.

    Asked before all nodes of the function are looked at.
    """
    if _in_place_layers(function):
        return True
    rest = function.module.segment(line, function.node.end_lineno or line)
    if "inplace" in rest or _IN_PLACE.search(rest) or not rest.isascii():
        return True
    written = (
        written_name(one) for one in own_statements(function.node) if isinstance(one, _WRITING)
    )
    return any(one is not None and one.id == name for one in written)


@kept(64)
def _in_place_layers(function: Function) -> frozenset[str]:
    """The attributes of a function's class that are layers with `inplace=True`."""
    owner = function.owner
    if owner is None or "inplace=True" not in owner.text:
        return frozenset()
    return frozenset(
        name
        for name, values in owner.attributes.items()
        if len(values) == 1 and _works_in_place(values[0])
    )


def _works_in_place(value: ast.expr) -> bool:
    keywords = value.keywords if isinstance(value, ast.Call) else []
    rate = value.args[0] if isinstance(value, ast.Call) and value.args else None
    if "Dropout" in called_name(value) and not (isinstance(rate, ast.Constant) and rate.value):
        return False  # with a rate of zero it writes nothing
    return any(one.arg == "inplace" and _is_true(one.value) for one in keywords)


def _acted_on(node: ast.AST, layers: frozenset[str]) -> ast.Name | None:
    """The name that one of these layers of `self` is given."""
    called = isinstance(node, ast.Call) and self_attribute(node.func) in layers
    given = node.args[0] if called and isinstance(node, ast.Call) and node.args else None
    return given if isinstance(given, ast.Name) else None


def written_name(node: ast.AST) -> ast.Name | None:
    """The local name whose tensor a node writes into."""
    if isinstance(node, ast.AugAssign):
        return _name_of(node.target)
    if isinstance(node, ast.Assign):
        subscripts = [one for one in node.targets if isinstance(one, ast.Subscript)]
        return _name_of(subscripts[0]) if subscripts else None
    if not isinstance(node, ast.Call):
        return None
    method = called_name(node)
    if any(one.arg == "inplace" and _is_true(one.value) for one in node.keywords) and node.args:
        return _name_of(node.args[0])
    in_place = method.endswith("_") and not method.endswith("__") and method not in HARMLESS
    if in_place and isinstance(node.func, ast.Attribute):
        return _name_of(node.func.value)
    return None


def _name_of(value: ast.expr) -> ast.Name | None:
    """The name in `x` and `x[rows]`."""
    while isinstance(value, ast.Subscript):
        value = value.value
    return value if isinstance(value, ast.Name) else None


def _is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True
