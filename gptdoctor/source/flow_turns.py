"""Expressions that reorder the dimensions of a tensor: `.T`, transpose, permute and their kin."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from gptdoctor.source.flow_functions import Function, assigned_names
from gptdoctor.source.flow_targets import names_in
from gptdoctor.source.kept import kept
from gptdoctor.source.renamed import is_renamed
from gptdoctor.source.statements import ASSIGNMENTS, own_statements

SWAPS = frozenset(["transpose", "swapaxes", "swapdims", "transpose_", "swapaxes_", "swapdims_"])
MOVES = frozenset(["movedim", "moveaxis"])
REVERSED = frozenset(["T", "H"])
LAST_TWO = frozenset(["mT", "mH", "adjoint"])
TURNING = SWAPS | MOVES | REVERSED | LAST_TWO | {"t", "t_", "permute", "permute_copy"}
# The two that most functions have which turn anything, and then all others.
_COMMON = ("transpose", "permute")
# One pattern for each word, which begins with its letters: joined and led by "\b", they take ten
# times as long.
WORDS = tuple(
    re.compile(rf"{word}(?<!\w{word})\b")
    for word in (*_COMMON, *sorted(TURNING.difference(_COMMON), key=len)[::-1])
)
# Without one of these in a text, none of the long ones is in it.
_BEGINNINGS = (*_COMMON, "swap", "moved", "moveaxis", "adjoint")
_SHORT = tuple(one for one in WORDS if not one.pattern.startswith(_BEGINNINGS))


@kept(64)
def may_turn(function: Function) -> bool:
    """Whether a turn may stand in a function or one around it: a word says so, or an alias."""
    while function.outer is not None:
        function = function.outer
    node, module = function.node, function.module
    text = module.lines_of(node)
    words = WORDS if any(map(text.__contains__, _BEGINNINGS)) else _SHORT
    return any(word.search(text) for word in words) or is_renamed(module, TURNING)


def may_be_turned(value: ast.expr) -> bool:
    """Whether an expression may be a turn, or a name of one, by its own form."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in TURNING
    if isinstance(value, ast.Attribute):
        return value.attr in REVERSED or value.attr in LAST_TWO
    return isinstance(value, ast.Name | ast.Call)


def may_name_turn(name: ast.Name, function: Function) -> bool:
    """Whether a name may stand for a turn: for most, no assignment says so.

    Asked before the bindings of the function are collected.
    """
    return function.outer is not None or name.id in _given_turns(function)


@kept(64)
def _given_turns(function: Function) -> frozenset[str]:
    """The names that a function gives what may be a turn, or a name of one."""
    found: set[str] = set(assigned_names(function)) if ":=" in function.text else set()
    for statement in own_statements(function.node):
        if not isinstance(statement, ASSIGNMENTS) or statement.value is None:
            continue
        # Of several values that are given at once one may be a turn.
        if isinstance(statement.value, ast.Tuple | ast.List) or may_be_turned(statement.value):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found.update(one.id for target in targets for one in names_in(target))
    return frozenset(found)


@dataclass(frozen=True, eq=False)
class Turn:
    """One such expression."""

    node: ast.Attribute | ast.Call
    base: ast.expr  # the tensor before
    spelling: str  # "T", "transpose", "permute", ...
    dimensions: tuple[int, ...] | None  # its arguments; None where they cannot be read
    function: Function

    @property
    def least_rank(self) -> int:
        """The fewest dimensions a tensor must have for this expression to run."""
        given = self.dimensions or ()
        if self.spelling.startswith("permute"):
            return len(given)
        return max([2, *(one + 1 if one >= 0 else -one for one in given)])

    def apply(self, order: tuple[int, ...]) -> tuple[int, ...] | None:
        """The dimensions after the turn, or None where that cannot be said."""
        rank, given = len(order), self.dimensions
        if self.spelling in REVERSED:
            return order[::-1]
        if self.spelling in LAST_TWO:
            return (*order[:-2], order[-1], order[-2])
        if self.spelling in ("t", "t_"):
            return order[::-1]
        if given is None or rank < self.least_rank:
            return None
        places = [one % rank for one in given]
        if self.spelling.startswith("permute"):
            whole = sorted(places) == list(range(rank))
            return tuple(order[place] for place in places) if whole else None
        if len(places) != 2:
            return None
        moved = list(order)
        if self.spelling in SWAPS:
            moved[places[0]], moved[places[1]] = moved[places[1]], moved[places[0]]
        else:
            moved.insert(places[1], moved.pop(places[0]))
        return tuple(moved)


def turn_of(node: ast.expr, function: Function) -> Turn | None:
    """The turn that an expression is, or None."""
    if isinstance(node, ast.Attribute):
        plain = node.attr in REVERSED or node.attr in LAST_TWO
        return Turn(node, node.value, node.attr, (), function) if plain else None
    if not isinstance(node, ast.Call):
        return None
    qualified = function.module.names.called(node) or ""
    name = qualified.rpartition(".")[2] if isinstance(node.func, ast.Name) else None
    method = node.func.attr if isinstance(node.func, ast.Attribute) else name
    if method not in TURNING:
        return None
    given = list(node.args)
    if qualified.startswith("torch."):
        base, given = (given[0], given[1:]) if given else (None, given)
    else:
        base = node.func.value if isinstance(node.func, ast.Attribute) else None
    if base is None:
        return None
    given.extend(keyword.value for keyword in node.keywords if keyword.arg != "input")
    return Turn(node, base, method, _numbers(given), function)


def number(node: ast.expr) -> int | None:
    """The integer that a literal is: 2, -1."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    return sign * value if isinstance(value, int) and not isinstance(value, bool) else None


def _numbers(given: list[ast.expr]) -> tuple[int, ...] | None:
    if len(given) == 1 and isinstance(given[0], ast.Tuple | ast.List):
        given = given[0].elts
    found = [number(one) for one in given]
    known = [one for one in found if one is not None]
    return tuple(known) if len(known) == len(found) else None
