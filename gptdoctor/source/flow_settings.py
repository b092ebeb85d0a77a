"""How a class sets its attributes: assignments, registrations, lists that grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_targets import unpack
from gptdoctor.source.statements import BLOCKS, bodies_of

_LISTS = ast.List | ast.ListComp


def settings_in(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The statements below a body that may set an attribute up: assignments, loops and calls."""
    stack = list(reversed(body))
    while stack:
        statement = stack.pop()
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.For):
            yield statement
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            yield statement.value
        if statement.__class__ in BLOCKS:
            for inner in reversed(bodies_of(statement)):
                stack.extend(reversed(inner))


def attributes_set(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """`self.NAME = value` in all its spellings."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            kind = target.__class__
            if kind is ast.Attribute:
                name = self_attribute(target)
                if name:
                    yield name, node.value
            elif kind is not ast.Name:
                yield from _assigned(target, node.value)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        name = self_attribute(node.target)
        if name:
            yield name, node.value
    elif isinstance(node, ast.AugAssign):  # a list that grows, and no number
        name = self_attribute(node.target)
        if name and isinstance(node.value, _LISTS):
            yield name, node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        method, own = node.func.attr, self_attribute(node.func.value)
        if own and method in ("append", "extend", "insert", "add_module") and node.args:
            yield own, node.args[-1]
        if method in ("register_parameter", "add_module", "register_module") and len(node.args) > 1:
            for name in literal_text(node):
                yield name, node.args[1]


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    for part in unpack(target, value):
        name = self_attribute(part.target)
        if name is None and isinstance(part.target, ast.Subscript):
            name = self_attribute(part.target.value)  # self.layers["a"] = ...
        if name:
            yield name, part.value


def literal_text(call: ast.Call) -> list[str]:
    """The first argument where it is a literal text."""
    first = call.args[0] if call.args else None
    return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
