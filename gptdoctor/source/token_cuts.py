"""Where tokens are shut out of a draw by a comparison: top-k's threshold, top-p's sums."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.draws import DRAWING, draw_at, mapped_from
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.value_ways import (
    fills,
    is_lowest,
    keyword,
    operation,
    shaped_from,
    ways_of,
)

BELOW = ast.Lt, ast.LtE
ABOVE = ast.Gt, ast.GtE


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenCut:
    """One statement or call that shuts tokens out."""

    node: ast.expr  # the comparison
    larger: bool  # whether those are shut out whose number is the larger
    even: bool  # and those whose number is the bound itself
    number: ast.expr  # what each token has
    bound: ast.expr  # what it is compared with


def cuts_in(function: Function) -> Iterator[TokenCut]:
    """The comparisons by which a function that draws tokens shuts some out."""
    if not _says_draw(function.module):
        return
    nodes = list(own_nodes(function.node))
    if not any(draw_at(node, function) is not None for node in nodes):
        return
    for node in nodes:
        condition = _shutting(node, function)
        if condition is not None:
            yield from _cuts(condition, function)


@kept(8)
def _says_draw(module: SourceModule) -> bool:
    """Whether a file names what draws, if only where it imports it under another name."""
    return any(map(module.text.__contains__, DRAWING))


def _shutting(node: ast.AST, function: Function) -> ast.expr | None:
    """The condition under which a node fills places with 0 or with the lowest number."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        return node.targets[0].slice if _is_nothing(node.value) else None
    made = operation(node, function) if isinstance(node, ast.Call) else None
    if made is None or not isinstance(node, ast.Call):
        return None
    given = [one for one in node.args if one is not made[1]]
    if made[0] in ("masked_fill", "masked_fill_") and len(given) > 1:
        return given[0] if _is_nothing(given[1]) else None
    if made[0] == "where" and len(node.args) > 2 and node.args[0] is made[1]:
        return node.args[0] if _is_nothing(node.args[1]) else None
    return None


def _is_nothing(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return value.value == 0 and not isinstance(value.value, bool)
    return fills(value) and is_lowest(value)


def _cuts(condition: ast.expr, function: Function) -> Iterator[TokenCut]:
    """The comparison that a condition is, whichever way it came: one that was not changed."""
    ways = ways_of(condition, function, shaped_from)
    source = ways[0].source if len(ways) == 1 and ways[0].binding is None else None
    if any(not isinstance(step, ast.Name) for step in (ways[0].steps if ways else ())):
        return  # moved by one, so that the first stays
    if isinstance(source, ast.Compare) and len(source.ops) == 1:
        operator = source.ops[0]
        if isinstance(operator, BELOW + ABOVE):
            yield TokenCut(
                node=source,
                larger=isinstance(operator, ABOVE),
                even=isinstance(operator, ast.LtE | ast.GtE),
                number=source.left,
                bound=source.comparators[0],
            )


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


def descends(sort: ast.Call) -> bool | None:
    """Whether a sort puts the largest first; None where a run decides."""
    given = keyword(sort, "descending")
    if given is None:
        return False if len(sort.args) < 3 else None
    return bool(given.value) if isinstance(given, ast.Constant) else None
