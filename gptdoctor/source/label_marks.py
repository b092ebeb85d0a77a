"""The numbers below zero by which a function marks labels that are no targets: -100, -1."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Position, Role, end
from gptdoctor.source.frames import Frame
from gptdoctor.source.kept import kept
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.value_ways import changed_without_value, keyword, operation

DEEPEST = 20  # from expression to expression
# They hand labels on as they are, and as many.
_KEEPING = frozenset(
    {
        *("view", "reshape", "flatten", "ravel", "transpose", "permute", "contiguous", "squeeze"),
        *("unsqueeze", "to", "long", "type", "clone", "detach", "cpu", "cuda", "int"),
    }
)
_FULL = frozenset({"full", "full_like", "new_full"})
_ROLES = (Role.ARGUMENT, Role.ELEMENT, Role.ITEM)
Marks = frozenset[int]
NONE: Marks = frozenset()


def number_of(value: ast.expr | None, function: Function) -> int | None:
    """The whole number that a value is: as written, of a constant, or of an attribute set once."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        inner = number_of(value.operand, function)
        return None if inner is None else -inner
    if isinstance(value, ast.Constant):
        return value.value if type(value.value) is int else None
    made: list[ast.expr] = []
    if isinstance(value, ast.Name) and value.id not in function.bindings.by_name:
        module = function.module.tree.body
        made = [
            one.value
            for one in module
            if isinstance(one, ast.Assign)
            and [getattr(to, "id", "") for to in one.targets] == [value.id]
        ]
    name = None if value is None else self_attribute(value)
    if name is not None and function.owner is not None:
        made = function.owner.attributes.get(name, [])
    plain = len(made) == 1 and isinstance(made[0], ast.Constant | ast.UnaryOp)
    return number_of(made[0], function) if plain else None


@dataclass(frozen=True)
class Marking:
    """Reads back what labels were marked with, from where a loss is given them."""

    project: Project

    def of(self, value: ast.expr, function: Function, depth: int = 0) -> Marks | None:
        """The marks that labels hold; None where something may have put others in their place."""
        if depth > DEEPEST:
            return None
        if isinstance(value, ast.Name):
            return self._name(value, function, depth)
        if isinstance(value, ast.Subscript):
            if written_text(value.slice) is not None:
                return NONE
            return self.of(value.value, function, depth + 1) if _is_slice(value.slice) else None
        if isinstance(value, ast.Attribute):
            return NONE
        return self._call(value, function, depth) if isinstance(value, ast.Call) else None

    def _name(self, name: ast.Name, function: Function, depth: int) -> Marks | None:
        bindings = function.reaching(name)
        if name.id in changed_without_value(function) or _is_filled(bindings, function):
            return None
        found = [self._bound(one, function, depth) for one in bindings]
        return _joined(found) if bindings else None

    def _bound(self, binding: Binding, function: Function, depth: int) -> Marks | None:
        if binding.role is Role.CHANGED:
            written = number_of(binding.value, function)
            if binding.since in _moving(function):
                return None
            return NONE if written is None else _mark(written)
        if binding.role is Role.WHOLE and binding.value is not None:
            return self.of(binding.value, function, depth + 1)
        return NONE if binding.role in _ROLES else None

    def _call(self, call: ast.Call, function: Function, depth: int) -> Marks | None:
        callee = Frame(self.project, function.module, function).called(call)
        if callee is not None:
            found = [self.of(one, callee, depth + 1) for one in callee.returned]
            return found[0] if len(found) == 1 else None
        name = called_name(call)
        made = operation(call, function)
        if name in ("cat", "stack", "concat") and call.args:
            parts = call.args[0].elts if isinstance(call.args[0], ast.List | ast.Tuple) else []
            return _joined([self.of(one, function, depth + 1) for one in parts]) if parts else None
        if name in _FULL:
            given = keyword(call, "fill_value") or (call.args[1] if len(call.args) > 1 else None)
            return _written(given, function)
        if name == "pad_sequence":
            return _written(keyword(call, "padding_value"), function)
        if name == "where" and len(call.args) == 3:
            return _joined([self._either(one, function, depth) for one in call.args[1:]])
        if made is None:
            return None
        if name in ("masked_fill", "pad"):
            last = call.args[-1] if call.args and name == "masked_fill" else None
            given = keyword(call, "value") or last
            return _joined([_written(given, function), self.of(made[1], function, depth + 1)])
        return self.of(made[1], function, depth + 1) if name in _KEEPING else None

    def _either(self, value: ast.expr, function: Function, depth: int) -> Marks | None:
        """One of the two that `where` chooses from: a mark or labels."""
        written = number_of(value, function)
        return self.of(value, function, depth + 1) if written is None else _mark(written)


def _written(value: ast.expr | None, function: Function) -> Marks | None:
    """The mark that a value is, where it is known."""
    written = number_of(value, function)
    return None if written is None else _mark(written)


def _mark(written: int) -> Marks | None:
    """A number below zero is no token; a token in the place of labels may be what marks become."""
    return frozenset({written}) if written < 0 else None


def _joined(found: list[Marks | None]) -> Marks | None:
    known = [one for one in found if one is not None]
    return frozenset().union(*known) if len(known) == len(found) else None


def _is_filled(bindings: list[Binding], function: Function) -> bool:
    """Whether a tensor of marks alone is written into: perhaps none of them is left."""
    full = any(called_name(one.value) in _FULL for one in bindings if one.role is Role.WHOLE)
    changed = (one for one in bindings if one.role is Role.CHANGED)
    return full and any(number_of(one.value, function) is None for one in changed)


@kept(32)
def _moving(function: Function) -> frozenset[Position]:
    """Where statements and calls end that may make other numbers of marks: `+=`, `clamp_`."""
    return frozenset(
        end(node)
        for node in own_nodes(function.node)
        if isinstance(node, ast.AugAssign)
        or (called_name(node).endswith("_") and called_name(node) != "masked_fill_")
    )


def _is_slice(index: ast.expr) -> bool:
    """Whether an index cuts rows or positions, and picks none by a mask."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(isinstance(one, ast.Slice | ast.Constant) for one in parts)
