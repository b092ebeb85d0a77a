"""Where tokens are shut out of a draw by a comparison: top-k's threshold, top-p's sums."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import defaults_of, parameters
from gptdoctor.source.draws import DRAWING, draw_at, mapped_from
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import called_name
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.value_ways import fills, is_lowest, keyword, operation, ways_of

BELOW = ast.Lt, ast.LtE
ABOVE = ast.Gt, ast.GtE
# What a filter calls its bound, or itself: it need not draw in the same function.
FILTER = re.compile(r"top_?[kp]|nucleus|^[kp]$", re.IGNORECASE)
# Moves a mask by one place, or copies it: its numbers stay in the order of the tokens.
COPYING = frozenset({"clone", "bool", "to", "contiguous", "detach", "view", "reshape"})
MOVING = frozenset({"roll", "pad", "cat", "concat"})
PLACING = frozenset({"scatter", "scatter_", "gather"})
# What may put tokens into another order.
SORTING = frozenset({"sort", "topk", "argsort", "gather", "take_along_dim", "index_select", "flip"})
DEEPEST = 8
# One of these is part of the name of whatever draws.
DRAWN = ("multinomial", "Categorical", "Multinomial", "Bernoulli")


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenCut:
    """One statement or call that shuts tokens out."""

    node: ast.expr  # the comparison
    larger: bool  # whether those are shut out whose number is the larger
    even: bool  # and those whose number is the bound itself
    number: ast.expr  # what each token has
    bound: ast.expr  # what it is compared with
    moved: bool  # whether the mask was written to in between, so that one more token stays
    placed: bool  # whether the mask was brought into another order
    filled: ast.expr  # what tokens are shut out of
    fill: ast.expr | None  # what they get; None: they are multiplied by 0
    at: ast.AST  # the statement or call that does it


@dataclass(frozen=True, eq=False, kw_only=True)
class Filling:
    """Places that are given 0 or the lowest number."""

    at: ast.AST
    condition: ast.expr
    kept: bool  # the condition says which places stay
    filled: ast.expr
    fill: ast.expr | None


def cuts_in(function: Function) -> Iterator[TokenCut]:
    """The comparisons by which a function that draws tokens, or filters them, shuts some out."""
    if not may_cut(function):
        return
    for node in own_nodes(function.node):
        filling = filling_at(node, function)
        cut = None if filling is None else _cut(filling, function)
        if cut is not None:
            yield cut


def may_cut(function: Function) -> bool:
    """Whether a function draws tokens or filters them: in others no cut is looked for."""
    return is_filter(function) or (_says_draw(function.module) and draws(function))


@kept(32)
def is_filter(function: Function) -> bool:
    """Whether a function's name, or that of a parameter, says that it filters tokens."""
    named = (function.name, *(one.arg for one in parameters(function.node)))
    return any(FILTER.search(one) for one in named)


@kept(32)
def draws(function: Function) -> bool:
    """Whether a function draws tokens itself."""
    if not any(map(function.module.text.__contains__, DRAWN)):
        return False
    return any(draw_at(node, function) is not None for node in own_nodes(function.node))


@kept(8)
def _says_draw(module: SourceModule) -> bool:
    """Whether a file names what draws, if only where it imports it under another name."""
    return any(map(module.text.__contains__, DRAWING))


def filling_at(node: ast.AST, function: Function) -> Filling | None:
    """What a node fills with 0 or with the lowest number, and where."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0]
        return _made(node, target.slice, target.value, node.value, function)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        masks = (
            (node.left, node.right) if _is_mask(node.left, function) else (node.right, node.left)
        )
        told = Filling(at=node, condition=masks[0], kept=True, filled=masks[1], fill=None)
        return told if _is_mask(masks[0], function) else None
    made = operation(node, function) if isinstance(node, ast.Call) else None
    if made is None or not isinstance(node, ast.Call):
        return None
    given = [one for one in node.args if one is not made[1]]
    if made[0] in ("masked_fill", "masked_fill_") and len(given) > 1:
        return _made(node, given[0], made[1], given[1], function)
    if made[0] == "where" and len(node.args) > 2 and node.args[0] is made[1]:
        shut = _made(node, node.args[0], node.args[2], node.args[1], function)
        return shut or _made(node, node.args[0], node.args[1], node.args[2], function, kept=True)
    return None


def _made(
    at: ast.AST,
    condition: ast.expr,
    filled: ast.expr,
    fill: ast.expr,
    function: Function,
    *,
    kept: bool = False,
) -> Filling | None:
    if isinstance(fill, ast.Name):  # `filter_value=-float("inf")`
        fill = defaults_of(function.node.args).get(fill.id, fill)
    whole = fill
    if called_name(fill) in ("full_like", "tensor") and isinstance(fill, ast.Call) and fill.args:
        fill = fill.args[-1]
    nothing = called_name(whole) == "zeros_like" or _is_nothing(fill)
    told = Filling(at=at, condition=condition, kept=kept, filled=filled, fill=fill)
    return told if nothing else None


def _is_mask(value: ast.expr, function: Function) -> bool:
    """Whether a value is a comparison, as numbers or by its name."""
    if called_name(value) in ("float", "to", "type_as") and isinstance(value, ast.Call):
        value = value.func.value if isinstance(value.func, ast.Attribute) else value
    return isinstance(value, ast.Compare) or (
        isinstance(value, ast.Name) and isinstance(bound_to(value, function), ast.Compare)
    )


def _is_nothing(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return value.value == 0 and not isinstance(value.value, bool)
    return fills(value) and is_lowest(value)


def _cut(filling: Filling, function: Function) -> TokenCut | None:
    """The comparison that a condition is, whichever way it came."""
    found = _comparison(filling.condition, function, 0)
    if found is None:
        return None
    source, negated, moved, placed = found
    operator = source.ops[0]
    if not isinstance(operator, BELOW + ABOVE):
        return None
    turned = negated is not filling.kept
    strict = isinstance(operator, ast.Lt | ast.Gt)
    return TokenCut(
        node=source,
        larger=isinstance(operator, ABOVE) is not turned,
        even=strict is turned,
        number=source.left,
        bound=source.comparators[0],
        moved=moved,
        placed=placed,
        filled=filling.filled,
        fill=filling.fill,
        at=filling.at,
    )


# A comparison; whether it is negated, changed in between, and brought into another order.
_Found = tuple[ast.Compare, bool, bool, bool]


def _comparison(value: ast.expr, function: Function, depth: int) -> _Found | None:
    """The comparison that a mask is, and what was done to it since."""
    if isinstance(value, ast.Compare):
        return (value, False, False, False) if len(value.ops) == 1 else None
    if depth > DEEPEST:
        return None
    inner: ast.expr | None = None
    negated = moved = placed = False
    if isinstance(value, ast.Name):
        found = function.reaching(value)
        whole = [one for one in found if one.role is not Role.CHANGED]
        plain = len(whole) == 1 and whole[0].role is Role.WHOLE
        inner, moved = whole[0].value if plain else None, len(found) > len(whole)
    elif isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Invert):
        inner, negated = value.operand, True
    elif isinstance(value, ast.Subscript):
        inner, moved = value.value, True
    elif isinstance(value, ast.Call):
        inner = _within(value, function)
        name = called_name(value)
        negated, moved, placed = name == "logical_not", name in MOVING, name in PLACING
    told = None if inner is None else _comparison(inner, function, depth + 1)
    if told is None:
        return None
    return told[0], told[1] is not negated, told[2] or moved, told[3] or placed


def _within(call: ast.Call, function: Function) -> ast.expr | None:
    """The mask that a call hands on, turned round or in another order."""
    name, made = called_name(call), operation(call, function)
    if made is None:
        return None
    if name in ("cat", "concat") and isinstance(made[1], ast.List | ast.Tuple) and made[1].elts:
        return made[1].elts[-1]
    if name in ("scatter", "scatter_"):
        return keyword(call, "src") or (call.args[-1] if len(call.args) > 2 else None)
    known = name in COPYING or name in MOVING or name in ("logical_not", "gather")
    return made[1] if known else None


def made_by(value: ast.expr, name: str, function: Function) -> ast.Call | None:
    """The one call of an operation that a value comes through, whichever way it came."""
    ways = ways_of(value, function, mapped_from, scaled=True)
    found = [
        {
            step
            for step in (*way.steps, way.source)
            if isinstance(step, ast.Call) and (operation(step, function) or ("",))[0] == name
        }
        for way in ways
    ]
    every = set.intersection(*found) if found else set()
    return every.pop() if len(every) == 1 else None


def sorts_behind(value: ast.expr, function: Function) -> bool | None:
    """Whether a value is in the order of a sort, on some way; None: no way can be followed."""
    ways = ways_of(value, function, mapped_from, scaled=True)
    calls = {
        step for way in ways for step in (*way.steps, way.source) if isinstance(step, ast.Call)
    }
    names = {(operation(one, function) or (called_name(one),))[0] for one in calls}
    return bool(names & SORTING) if ways else None


def descends(sort: ast.Call) -> bool | None:
    """Whether a sort puts the largest first; None where a run decides."""
    given = keyword(sort, "descending")
    if given is None:
        return False if len(sort.args) < 3 else None
    return bool(given.value) if isinstance(given, ast.Constant) else None
