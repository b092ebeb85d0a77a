"""Ties of two weights that a constructor makes, and what it does to them afterwards."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.constructors import Constructor, lines_in
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name


@dataclass(frozen=True, eq=False)
class Broken:
    """A statement that looks like a tie, and makes or keeps two weights."""

    node: ast.Assign  # the tie
    first: str
    second: str
    how: str  # "remade", "copied" or "one memory"
    undone: int = 0  # the line that makes one of them anew


def may_tie(node: ast.AST, module: SourceModule) -> bool:
    """Whether a constructor gives a value to some layer's weight, and names one more."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return lines_in(module, node).count("weight") > 1 and any(
        _weight(one.targets[0]) for statement in node.body for one, _ in _assignments(statement)
    )


def broken_ties(constructor: Constructor) -> Iterator[Broken]:
    """The ties of a constructor that do not hold."""
    body = constructor.node.body
    for index, statement in enumerate(body):
        for node, guarded in _assignments(statement):
            first = _weight(node.targets[0])
            if not first:
                continue
            second = _weight(node.value)
            if second and second != first:
                line = 0 if guarded else _remade(first, second, body[index + 1 :])
                if line:
                    yield Broken(node, first, second, "remade", line)
            elif (copied := _copied(node.value, constructor)) and copied != first:
                yield Broken(node, first, copied, "copied")


def _assignments(statement: ast.stmt) -> Iterator[tuple[ast.Assign, bool]]:
    """A statement that is an assignment, or those right in an `if`; and whether it is such."""
    if isinstance(statement, ast.Assign):
        yield statement, False
    elif isinstance(statement, ast.If):
        for one in [*statement.body, *statement.orelse]:
            if isinstance(one, ast.Assign):
                yield one, True


def _weight(node: ast.expr) -> str:
    """`self.head.weight`, as it is written; "" for anything else."""
    plain = isinstance(node, ast.Attribute) and node.attr == "weight"
    if not plain or not isinstance(node, ast.Attribute):
        return ""
    inner = node.value
    while isinstance(inner, ast.Attribute) and self_attribute(inner) is None:
        inner = inner.value
    return text_of(node) if self_attribute(inner) else ""


def _copied(value: ast.expr, constructor: Constructor) -> str:
    """The weight of which `nn.Parameter(self.tokens.weight.clone())` makes another parameter."""
    qualified = constructor.info.module.names.called(value) or ""
    if qualified.rpartition(".")[2] not in PARAMETERS or not isinstance(value, ast.Call):
        return ""
    given = value.args[0] if value.args else None
    while isinstance(given, ast.Call) and called_name(given) in ("clone", "detach"):
        given = given.func.value if isinstance(given.func, ast.Attribute) else None
    if isinstance(given, ast.Attribute) and given.attr == "data":
        given = given.value
    return _weight(given) if given is not None else ""


def _remade(first: str, second: str, after: list[ast.stmt]) -> int:
    """The line below a tie that gives one of the two layers or weights a new value."""
    layers = {one.removesuffix(".weight") for one in (first, second)}
    for statement in after:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = text_of(statement.targets[0])
        if target not in layers | {first, second}:
            continue
        again = _weight(statement.value) in (first, second)
        return 0 if again or not _makes(statement.value) else statement.lineno
    return 0


def _makes(value: ast.expr) -> bool:
    """Whether an expression makes a new layer or parameter."""
    return isinstance(value, ast.Call) and called_name(value)[:1].isupper()
