"""Ranks that are taken for tokens: drawn from sorted shares, and never looked up in their order."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from gptdoctor.source.draws import draw_at, mapped_from
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.temperature import last_name
from gptdoctor.source.token_choice import JOINING
from gptdoctor.source.token_cuts import draws
from gptdoctor.source.value_ways import ways_of

# Hand the rank on as it is.
KEEPING = frozenset({"sample", "squeeze", "unsqueeze", "view", "reshape", "long", "to", "item"})


def ranks_taken(order: ast.Call, function: Function) -> Iterator[ast.Call]:
    """The draws from what `order`, a topk or a sort, gives that are joined to a text as ranks."""
    for node in own_nodes(function.node) if draws(function) else ():
        draw = draw_at(node, function)
        if draw is None or not _comes_of(draw.given, order, function):
            continue
        names = _carriers(draw.call, function)
        if not _looked_up(draw.call, names, function) and _handed_on(draw.call, names, function):
            yield draw.call


def _comes_of(value: ast.expr, order: ast.Call, function: Function) -> bool:
    """Whether a value is the sorted ones on some way."""
    ways = ways_of(value, function, mapped_from, scaled=True)
    return any(order in way.steps or way.source is order for way in ways)


def _carriers(draw: ast.Call, function: Function) -> frozenset[str]:
    """The names that hold what was drawn, or the distribution that it is drawn from."""
    names: set[str] = set()
    before = -1
    while len(names) > before:
        before = len(names)
        for node in own_nodes(function.node):
            if not isinstance(node, ast.Assign) or not _is_rank(node.value, draw, names):
                continue
            names.update(one.id for one in node.targets if isinstance(one, ast.Name))
    return frozenset(names)


def _is_rank(value: ast.expr, draw: ast.Call, names: Set[str]) -> bool:
    """Whether a value is what was drawn, whatever its shape."""
    while True:
        if value is draw or (isinstance(value, ast.Name) and value.id in names):
            return True
        if isinstance(value, ast.Call) and last_name(value.func) in KEEPING:
            value = value.func
        elif isinstance(value, ast.Attribute | ast.Subscript):
            value = value.value
        else:
            return False


def _looked_up(draw: ast.Call, names: frozenset[str], function: Function) -> bool:
    """Whether what was drawn stands in an index, or goes into anything that is no joining."""
    for node in own_nodes(function.node):
        inner: list[ast.expr] = []
        if isinstance(node, ast.Subscript):
            inner = [node.slice]
        elif isinstance(node, ast.BinOp):
            inner = [node.left, node.right]
        elif isinstance(node, ast.Call) and last_name(node.func) not in (*JOINING, *KEEPING):
            inner = [*node.args, *(one.value for one in node.keywords)]
        if any(_is_rank(one, draw, names) for one in inner):
            return True
    return False


def _handed_on(draw: ast.Call, names: frozenset[str], function: Function) -> bool:
    """Whether it is joined to a sequence, or returned by itself."""
    for node in own_nodes(function.node):
        if isinstance(node, ast.Call) and last_name(node.func) in JOINING:
            parts = [
                part
                for one in node.args
                for part in (one.elts if isinstance(one, ast.List | ast.Tuple) else [one])
            ]
            if any(_is_rank(one, draw, names) for one in parts):
                return True
    return any(_is_rank(value, draw, names) for value in function.returned)
