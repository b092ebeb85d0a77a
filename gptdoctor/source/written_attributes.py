"""Which attributes of a module a statement sets, moves or adds to, and what it gives them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.made_of_input import is_made_of_input
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import every_statement

# In place, and of what was there as well; what is copied over it leaves nothing of that.
_MOVING = re.compile(r"^(lerp|add|sub|mul|div|addcmul|addcdiv|index_add|scatter_add)_$")
_GROWING = frozenset({"append", "extend", "appendleft"})
_ELSEWHERE = frozenset({"to", "cuda", "cpu", "type", "type_as", "float", "half"})


def may_leave(node: ast.FunctionDef) -> bool:
    """Whether a statement in a function may leave something behind, by its own form."""
    return any(map(_may_set, every_statement(node)))


def _may_set(statement: ast.AST) -> bool:
    if isinstance(statement, ast.Assign):
        for one in statement.targets:
            if one.__class__ is not ast.Name and any(_in_target(one)):
                return True
        return False
    if isinstance(statement, ast.AugAssign):
        return self_attribute(statement.target) is not None
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    return self_attribute(call.func) is not None or moved(call) is not None


def written_by(statement: ast.stmt, function: Function) -> Iterator[str]:
    """The attributes that a statement gives something of the input."""
    names, values = _settings(statement)
    if names and any(is_made_of_input(one, function) for one in values):
        yield from names


def _settings(statement: ast.stmt) -> tuple[list[str], list[ast.expr]]:
    """The attributes that a statement sets or moves, and what it gives them."""
    if isinstance(statement, ast.Assign):
        names = [name for one in statement.targets for name in _in_target(one)]
        return ([] if _is_same(statement.value, names) else names), [statement.value]
    if isinstance(statement, ast.AugAssign):
        name = self_attribute(statement.target)
        return [name] if name else [], [statement.value]
    call = statement.value if isinstance(statement, ast.Expr) else None
    name = moved(call) if isinstance(call, ast.Call) else None
    return ([name], list(every_argument(call))) if name and isinstance(call, ast.Call) else ([], [])


def _is_same(value: ast.expr, names: list[str]) -> bool:
    """Whether an attribute is given what it held, on another device or as another type."""
    called = [node for node in every_node(value) if isinstance(node, ast.Call)]
    moves = all(called_name(one) in _ELSEWHERE for one in called)
    computed = any(isinstance(node, ast.BinOp) for node in every_node(value))
    return bool(called) and moves and not computed and not reads_in(value).isdisjoint(names)


def _in_target(target: ast.expr) -> Iterator[str]:
    """NAME of `self.NAME`, `self.NAME[i]` and `self.NAME.data`, alone or among others."""
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    for part in parts:
        data = isinstance(part, ast.Attribute) and part.attr == "data"
        if isinstance(part, ast.Subscript) or (data and isinstance(part, ast.Attribute)):
            part = part.value
        name = self_attribute(part)
        if name:
            yield name


def every_argument(call: ast.Call) -> Iterator[ast.expr]:
    """What a chain of methods is given: `self.mean.mul_(0.9).add_(0.1 * x)`."""
    called: ast.expr = call
    while isinstance(called, ast.Call | ast.Attribute):
        if isinstance(called, ast.Call):
            yield from (*called.args, *(one.value for one in called.keywords))
            called = called.func
        else:
            called = called.value


def moved(call: ast.Call) -> str | None:
    """NAME of `self.NAME.lerp_(x, 0.1)` and of `self.NAME.append(x)`."""
    called: ast.expr = call
    methods: list[str] = []
    while isinstance(called, ast.Call) and isinstance(called.func, ast.Attribute):
        if called.func.attr in _GROWING and len(called.args) != 1:
            return None  # no list's: `stack.append(step, x)` tells the stack where it begins
        methods.append(called.func.attr)
        called = called.func.value
    if isinstance(called, ast.Attribute) and called.attr == "data":
        called = called.value
    moves = methods and all(_MOVING.match(one) or one in _GROWING for one in methods)
    name = self_attribute(called)
    if methods == ["copy_"] and name:  # of what was there as well
        moves = any(name in reads_in(one) for one in call.args)
    return name if moves else None


def reads_in(statement: ast.AST) -> frozenset[str]:
    """The names of all attributes that a node reads, of whatever they are."""
    return frozenset(
        node.attr
        for node in every_node(statement)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    )
