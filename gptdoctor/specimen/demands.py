"""What a check that failed would have liked, read from its condition in the user's text.

`assert depth is not None`, `assert dim % heads == 0` and `if not isinstance(net, GPT): raise`
say what is wanted more plainly than any message.
"""

from __future__ import annotations

import ast
import linecache
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import TypeVar

Place = TypeVar("Place")  # whatever names an argument

_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One thing that would satisfy the check.

    "given": `left` is not None. "instance": `left` is of the class `right`. "above", "at least",
    "equal" and "multiple": `left` compared with `right`. "one of": `left` is in `right`.
    "true", "false": the flag `left`.
    """

    kind: str
    left: ast.expr
    right: ast.expr | None = None


def demands_of(frame: FrameType, line: int) -> tuple[Demand, ...]:
    """What the check at `line` of the frame's file wanted; () where there is no check."""
    text = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    check = _check_at(text, line)
    return () if check is None else tuple(_demands(*check))


@cache
def parsed(text: str) -> ast.Module | None:
    """The tree of a file of the user's; None where it is no Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


@cache
def _check_at(text: str, line: int) -> tuple[ast.expr, bool] | None:
    """The condition that the statement at `line` checks, and what it should have been."""
    tree = parsed(text)
    if tree is None:
        return None
    found: tuple[ast.expr, bool] | None = None
    for node in ast.walk(tree):  # outer before inner
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        if isinstance(node, ast.Assert):
            found = (node.test, True)
        elif isinstance(node, ast.If) and any(_raises_at(each, line) for each in node.body):
            found = (node.test, False)
        elif isinstance(node, ast.If) and any(_raises_at(each, line) for each in node.orelse):
            found = (node.test, True)
    return found


def _raises_at(node: ast.stmt, line: int) -> bool:
    return isinstance(node, ast.Raise) and node.lineno <= line <= (node.end_lineno or 0)


def _demands(test: ast.expr, wanted: bool) -> Iterator[Demand]:
    """What makes `test` come out as `wanted`, each demand enough or needed."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _demands(test.operand, not wanted)
    elif isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _demands(value, wanted)
    elif isinstance(test, ast.BinOp) and isinstance(test.op, ast.BitXor):
        yield from _demands(test.left, wanted)
        yield from _demands(test.right, wanted)
    elif isinstance(test, ast.BinOp) and isinstance(test.op, ast.Mod) and not wanted:
        yield Demand(kind="multiple", left=test.left, right=test.right)
    elif isinstance(test, ast.Compare):
        yield from _compared(test, wanted)
    elif isinstance(test, ast.Call):
        yield from _called(test, wanted)
    elif isinstance(test, ast.Name | ast.Attribute):
        yield Demand(kind="true" if wanted else "false", left=test)


def _compared(test: ast.Compare, wanted: bool) -> Iterator[Demand]:
    """The demands of a comparison; a chain is its links, where all of them are to hold."""
    operands = [test.left, *test.comparators]
    for left, operator, right in zip(operands, test.ops, operands[1:], strict=False):
        yield from _link(left, type(operator) if wanted else _FLIPPED[type(operator)], right)


def _link(left: ast.expr, operator: type[ast.cmpop], right: ast.expr) -> Iterator[Demand]:
    zero = isinstance(right, ast.Constant) and right.value == 0
    if operator is ast.IsNot and isinstance(right, ast.Constant) and right.value is None:
        yield Demand(kind="given", left=left)
    elif operator is ast.Eq and zero and isinstance(left, ast.BinOp):
        if isinstance(left.op, ast.Mod):
            yield Demand(kind="multiple", left=left.left, right=left.right)
    elif operator is ast.Eq:
        yield Demand(kind="equal", left=left, right=right)
    elif operator is ast.In:
        yield Demand(kind="one of", left=left, right=right)
    elif operator in (ast.Gt, ast.Lt, ast.GtE, ast.LtE):
        above = operator in (ast.Gt, ast.GtE)
        kind = "above" if operator in (ast.Gt, ast.Lt) else "at least"
        yield Demand(kind=kind, left=left if above else right, right=right if above else left)


# What small functions that test one thing are called.
_GIVEN = frozenset({"exists", "is_given", "is_some", "not_none", "present"})


def _called(test: ast.Call, wanted: bool) -> Iterator[Demand]:
    """The demands of a condition that is a call."""
    name = test.func.id if isinstance(test.func, ast.Name) else getattr(test.func, "attr", "")
    arguments = test.args
    if not wanted or not arguments:
        return
    if name == "isinstance" and len(arguments) == 2:
        yield Demand(kind="instance", left=arguments[0], right=arguments[1])
    elif name in _GIVEN:
        yield Demand(kind="given", left=arguments[0])
    elif "divis" in name and len(arguments) == 2:
        yield Demand(kind="multiple", left=arguments[0], right=arguments[1])
    elif name == "xor":
        yield from (demand for each in arguments for demand in _demands(each, True))
    elif name == "all" and isinstance(arguments[0], ast.List | ast.Tuple):
        yield from (demand for each in arguments[0].elts for demand in _demands(each, True))


def holds(kind: str, left: int, right: int) -> bool | None:
    """Whether a comparison of this kind holds; None: it is no comparison."""
    if kind == "multiple":
        return right != 0 and left % right == 0
    known = {"above": left > right, "at least": left >= right, "equal": left == right}
    return known.get(kind)


def numbers(
    kind: str, left: int, right: int, place: Place, other: Place
) -> Iterator[tuple[Place, int]]:
    """Numbers that would satisfy a comparison, each with the argument to be given it.

    What is to be less is made less before what is to be more is made more: small is cheap.
    """
    if kind == "multiple":
        if math.gcd(left, right) > 1:
            yield other, math.gcd(left, right)
        yield place, right * max(1, left // right)
        yield other, left
    elif kind == "equal":
        yield other, left
        yield place, right
    elif kind == "above":
        yield other, left // 2
        yield place, 2 * right if right > 0 else 1
    elif kind == "at least":
        yield other, left
        yield place, right
