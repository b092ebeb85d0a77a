"""Targets of assignments and loops: which name gets which part of which value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gptdoctor.source.nodes import every_node

Position = tuple[int, int]  # line and column
# Calls that hand on what they iterate, element by element.
TRANSPARENT = frozenset({"list", "tuple", "iter", "reversed", "tqdm"})

# Containers grow by these; tensors and modules change by methods that end in "_".
GROWING = frozenset({"append", "extend", "insert", "add", "appendleft", "update"})

_SEVERAL = (ast.Tuple, ast.List)
_PARTS = (ast.Attribute, ast.Subscript, ast.Starred)  # of what they hold as their value


class Role(Enum):
    """What part of its value a binding gives to a name."""

    WHOLE = "whole"
    ITEM = "item"  # value[index], by unpacking
    REST = "rest"  # several items of value, by unpacking with a star
    ELEMENT = "element"  # one of those that value iterates over
    COUNTER = "counter"  # the number or key of an element of value
    CHANGED = "changed"  # what the name held before, with value written into it
    ARGUMENT = "argument"  # given by the caller
    OTHER = "other"  # a class, a function, an import, an exception


@dataclass(eq=False, kw_only=True)  # not frozen: each target of each statement gets one
class Part:
    """A target of an assignment or a loop, and the part of a value that it gets."""

    target: ast.expr
    role: Role
    value: ast.expr
    index: int | None = None  # of an ITEM, or within an ELEMENT that is taken apart
    among: int = 1  # of how many items; 0: its item is taken apart again


def text_of(node: ast.AST) -> str:
    """The text of an expression; "" for one that is nested too deeply to be written out."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""


def start(node: ast.AST) -> Position:
    """Where a node begins."""
    return (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))


def end(node: ast.AST) -> Position:
    """Where a node ends."""
    return (getattr(node, "end_lineno", None) or 0, getattr(node, "end_col_offset", None) or 0)


def unzip(target: ast.expr, iterable: ast.expr) -> Iterator[Part]:
    """What each name of a loop's target gets, through enumerate, zip, items and the like."""
    called = _called(iterable)
    arguments = iterable.args if isinstance(iterable, ast.Call) else []
    pair = target.elts if isinstance(target, _SEVERAL) else []
    if called in TRANSPARENT and arguments:
        yield from unzip(target, arguments[0])
    elif called == "enumerate" and arguments and len(pair) == 2:
        yield Part(target=pair[0], role=Role.COUNTER, value=arguments[0])
        yield from unzip(pair[1], arguments[0])
    elif called in ("zip", "product") and len(pair) == len(arguments):
        for one, source in zip(pair, arguments, strict=True):
            yield from unzip(one, source)
    elif isinstance(iterable, ast.GeneratorExp | ast.ListComp) and pair:
        yield from _unzip_made(pair, iterable)
    elif called in ("range", "keys"):
        yield Part(target=target, role=Role.COUNTER, value=iterable)
    elif called == "items" and len(pair) == 2 and isinstance(iterable, ast.Call):
        yield Part(target=pair[0], role=Role.COUNTER, value=_receiver(iterable))
        yield Part(target=pair[1], role=Role.ELEMENT, value=_receiver(iterable))
    elif called == "values" and not arguments and isinstance(iterable, ast.Call):
        yield Part(target=target, role=Role.ELEMENT, value=_receiver(iterable))
    elif pair:  # an element that is taken apart
        for index, one in enumerate(pair):
            among = 0 if isinstance(one, _SEVERAL) else len(pair)
            for name in names_in(one):
                yield Part(target=name, role=Role.ELEMENT, value=iterable, index=index, among=among)
    else:
        for name in names_in(target):
            yield Part(target=name, role=Role.ELEMENT, value=iterable)


def _unzip_made(pair: list[ast.expr], made: ast.GeneratorExp | ast.ListComp) -> Iterator[Part]:
    """The names of a loop over ((s, e) for s in ... for e in ...), by position."""
    items = made.elt.elts if isinstance(made.elt, ast.Tuple) else []
    inner = [part for clause in made.generators for part in unzip(clause.target, clause.iter)]
    for one, item in zip(pair, items, strict=False):
        for part in inner:
            known = isinstance(part.target, ast.Name) and isinstance(item, ast.Name)
            if known and text_of(part.target) == text_of(item):
                yield Part(target=one, role=part.role, value=part.value)


def unpack(target: ast.expr, value: ast.expr) -> Iterator[Part]:
    """What each name of an assignment's target gets."""
    if not isinstance(target, _SEVERAL):
        yield Part(target=target, role=Role.WHOLE, value=value)
        return
    same = isinstance(value, _SEVERAL) and len(value.elts) == len(target.elts)
    for index, one in enumerate(target.elts):
        if same and isinstance(value, _SEVERAL):
            yield from unpack(one, value.elts[index])
        else:
            several = isinstance(one, ast.Starred)
            inner = one.value if isinstance(one, ast.Starred) else one
            # An item may be taken apart again: `out, (h, c) = lstm(x)`.
            among = 0 if isinstance(inner, _SEVERAL) else len(target.elts)
            for part in _names_apart(inner):
                yield Part(
                    target=part,
                    role=Role.REST if several else Role.ITEM,
                    value=value,
                    index=index,
                    among=among,
                )


def _names_apart(target: ast.expr) -> Iterator[ast.expr]:
    """The targets in one, however deep; itself where it is no tuple."""
    if isinstance(target, _SEVERAL):
        for one in target.elts:
            yield from _names_apart(one.value if isinstance(one, ast.Starred) else one)
    else:
        yield target


def names_in(target: ast.expr) -> list[ast.Name]:
    """All plain names in a target."""
    if isinstance(target, ast.Name):
        return [target]
    return [node for node in every_node(target) if isinstance(node, ast.Name)]


def target_beside(value: ast.AST, values: ast.Tuple, statement: ast.AST) -> ast.expr | None:
    """The target of one value of several that a statement assigns side by side."""
    targets = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(targets, ast.Tuple) or len(targets.elts) != len(values.elts):
        return None
    starred = any(isinstance(one, ast.Starred) for one in (*targets.elts, *values.elts))
    return None if starred else targets.elts[[id(one) for one in values.elts].index(id(value))]


def without_subscripts(value: ast.expr) -> ast.expr:
    """`totals` of `totals["loss"][0]`."""
    while isinstance(value, ast.Subscript):
        value = value.value
    return value


def root_name(node: ast.expr) -> str | None:
    """`out` where the node is `out`, `out[mask]` or `out.view(-1)[mask].data`."""
    while True:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, _PARTS):
            node = node.value
        else:
            return None


def _called(node: ast.expr) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name):
        return node.func.id
    method = node.func.attr if isinstance(node.func, ast.Attribute) else None
    return method if method in ("items", "values", "keys") and not node.args else None


def _receiver(call: ast.Call) -> ast.expr:
    return call.func.value if isinstance(call.func, ast.Attribute) else call
