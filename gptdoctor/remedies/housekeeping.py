"""Statements that write into a module's own state, and that gradients must not be recorded of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import libcst as cst

from gptdoctor.remedies.parsed import ParsedSource, walk

Statements = Sequence[cst.BaseStatement]


def runs(
    statements: Statements, source: ParsedSource
) -> list[tuple[bool, list[cst.BaseStatement]]]:
    """Neighbouring statements grouped: those that only keep the module's state, and the others."""
    groups = groupby(statements, key=lambda statement: is_housekeeping(statement, source))
    return [(kept, list(group)) for kept, group in groups]


def is_housekeeping(statement: cst.CSTNode, source: ParsedSource) -> bool:
    """Whether a statement does nothing but write into what `self` holds."""
    if isinstance(statement, cst.SimpleStatementLine):
        return all(_writes(small, source) for small in statement.body)
    if isinstance(statement, cst.If | cst.For):
        inner = statement.body.body
        rest = statement.orelse
        return all(is_housekeeping(one, source) for one in inner) and (
            rest is None or all(is_housekeeping(one, source) for one in rest.body.body)
        )
    return isinstance(statement, cst.BaseSmallStatement) and _writes(statement, source)


def writes_state(statement: cst.CSTNode, source: ParsedSource) -> bool:
    """Whether a statement, or one in it, writes into what `self` holds."""
    kinds = (cst.Expr, cst.Assign, cst.AugAssign)
    return any(_writes(small, source) for small in walk(statement, *kinds))


def _writes(small: cst.CSTNode, source: ParsedSource) -> bool:
    if isinstance(small, cst.Expr):
        return _is_in_place(small.value)
    if isinstance(small, cst.AugAssign):
        return held_attribute(small.target) is not None
    if isinstance(small, cst.Assign):
        return all(_is_state(target.target, source) for target in small.targets)
    return False


def _is_in_place(value: cst.BaseExpression) -> bool:
    """`self.usage.lerp_(…)`: methods whose name ends in "_" write into their tensor."""
    if not isinstance(value, cst.Call) or not isinstance(value.func, cst.Attribute):
        return False
    name = value.func.attr.value
    in_place = name.endswith("_") and not name.endswith("__")
    return in_place and held_attribute(value.func.value) is not None


def _is_state(target: cst.BaseExpression, source: ParsedSource) -> bool:
    """Whether an assignment writes into a tensor that `self` holds, or replaces a buffer of it."""
    name = held_attribute(target)
    if name is None:
        return False
    return isinstance(target, cst.Subscript) or name in _buffers(source)


def held_attribute(node: cst.BaseExpression) -> str | None:
    """NAME where a node is `self.NAME` or something in it."""
    name = None
    while isinstance(node, cst.Attribute | cst.Subscript):
        if isinstance(node, cst.Attribute):
            name = node.attr.value
        node = node.value
    return name if isinstance(node, cst.Name) and node.value == "self" else None


def _buffers(source: ParsedSource) -> set[str]:
    """The names given to `register_buffer`."""
    found = set()
    for call in walk(source.module, cst.Call):
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "register_buffer":
            first = call.args[0].value if call.args else None
            if isinstance(first, cst.SimpleString):
                found.add(str(first.evaluated_value))
    return found
