"""Ties of two weights that a constructor makes, and what it does to them afterwards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.constructors import Constructor, lines_in
from gptdoctor.source.flow_attributes import PARAMETERS
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name

# Names of methods that make one weight of two.
TIE_METHOD = re.compile(r"(^|_)(tie|share)(_|s_|d_|$)")
_CALL_OF_ONE = re.compile(r"self\._?(tie|share)\w*\(")


@dataclass(frozen=True, eq=False)
class Broken:
    """A statement that looks like a tie, and makes or keeps two weights."""

    node: ast.stmt  # the tie
    first: str
    second: str
    how: str  # "remade", "copied" or "one memory"
    undone: int = 0  # the line that makes one of them anew
    method: str = ""  # the method it stands in, where the constructor calls one for it


@dataclass(frozen=True, eq=False)
class _Tie:
    """A statement that gives a weight the value of another, or seems to."""

    node: ast.stmt
    target: ast.expr
    value: ast.expr
    guarded: bool  # by an `if`
    method: str


def may_tie(node: ast.AST, module: SourceModule) -> bool:
    """Whether a constructor gives a value to some layer's weight, and names one more."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    text = lines_in(module, node)
    if _CALL_OF_ONE.search(text):
        return True
    return text.count("weight") > 1 and any(
        _weight(_whole(tie.target)) for statement in node.body for tie in _ties(statement, "")
    )


def broken_ties(constructor: Constructor) -> Iterator[Broken]:
    """The ties of a constructor that do not hold."""
    body = list(_statements(constructor))
    for index, (statement, method, guarded) in enumerate(body):
        for tie in _ties(statement, method, guarded=guarded):
            first = _weight(_whole(tie.target))
            if not first:
                continue
            after = [one for one, *_ in body[index + 1 :]]
            found = _broken(tie, first, after, constructor)
            if found is not None:
                yield found


def _broken(
    tie: _Tie, first: str, after: list[ast.stmt], constructor: Constructor
) -> Broken | None:
    if isinstance(tie.node, ast.Expr) or tie.target is not _whole(tie.target):
        return _by_numbers(tie, first)
    second = _weight(tie.value)
    if second and second != first:
        line = 0 if tie.guarded else _remade(first, second, after)
        return Broken(tie.node, first, second, "remade", line, tie.method) if line else None
    copied = _copied(tie.value, constructor)
    if copied and copied != first:
        return Broken(tie.node, first, copied, "copied", 0, tie.method)
    return None


def _by_numbers(tie: _Tie, first: str) -> Broken | None:
    """`a.weight.data = b.weight.data` and `a.weight.copy_(b.weight)`: the numbers alone."""
    second = _weight(_original(tie.value))
    if not second or second == first:
        return None
    whole = isinstance(tie.node, ast.Assign) and not isinstance(tie.value, ast.Call)
    how = "one memory" if whole else "copied"
    return Broken(tie.node, first, second, how, 0, tie.method)


def _statements(constructor: Constructor) -> Iterator[tuple[ast.stmt, str, bool]]:
    """The statements of a constructor, and in their places those of the methods it calls.

    With the method's name, and whether an `if` decides on the call.
    """
    methods = constructor.info.methods
    for statement in constructor.node.body:
        guarded = isinstance(statement, ast.If)
        inside = [*statement.body, *statement.orelse] if isinstance(statement, ast.If) else []
        for one in [*inside, statement]:
            call = one.value if isinstance(one, ast.Expr) else None
            name = (self_attribute(call.func) or "") if isinstance(call, ast.Call) else ""
            if name in methods and name != "__init__":
                yield from ((inner, name, guarded) for inner in methods[name].body)
            elif one is statement:
                yield one, "", False


def _ties(statement: ast.stmt, method: str, *, guarded: bool = False) -> Iterator[_Tie]:
    """A statement that may tie, or those right in an `if` or `with`."""
    if isinstance(statement, ast.Assign):
        yield _Tie(statement, statement.targets[0], statement.value, guarded, method)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if called_name(call) == "copy_" and isinstance(call.func, ast.Attribute) and call.args:
            yield _Tie(statement, call.func.value, call.args[0], guarded, method)
    elif isinstance(statement, ast.If):
        for one in [*statement.body, *statement.orelse]:
            yield from _ties(one, method, guarded=True)
    elif isinstance(statement, ast.With):
        for one in statement.body:
            yield from _ties(one, method, guarded=guarded)


def _whole(node: ast.expr) -> ast.expr:
    """`self.head.weight` of `self.head.weight.data`."""
    return node.value if isinstance(node, ast.Attribute) and node.attr == "data" else node


def _weight(node: ast.expr | None) -> str:
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
    made = qualified.rpartition(".")[2] in PARAMETERS or qualified == "copy.deepcopy"
    if not made or not isinstance(value, ast.Call):
        return ""
    return _weight(_original(value.args[0] if value.args else None))


def _original(given: ast.expr | None) -> ast.expr | None:
    """What a copy was made of: `w` of `w.detach().clone()` and `w.data`."""
    while isinstance(given, ast.Call) and called_name(given) in ("clone", "detach"):
        given = given.func.value if isinstance(given.func, ast.Attribute) else None
    return None if given is None else _whole(given)


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
    if not isinstance(value, ast.Call):
        return False
    return called_name(value)[:1].isupper() or called_name(value) == "from_pretrained"
