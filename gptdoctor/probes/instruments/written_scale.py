"""Where a scale of 1 is written as a number, and not left to whoever configures the model."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import covers, tree_at
from gptdoctor.probes.instruments.operation_log import Operation

_Part = TypeVar("_Part", ast.FunctionDef, ast.ClassDef)
# How torch's own attention, and what stands around it, names the factor.
_NAMES = frozenset({"scale", "scaling", "softmax_scale"})
# How scores are scaled by a number, which leaves them as they are where it is 1.
_SCALES = frozenset({"mul", "__mul__", "__rmul__", "div", "__div__", "__truediv__", "true_divide"})


def written_scale(place: Place | None, root: str) -> Place | None:
    """The line that writes the number 1 for the scale of the attention that `place` calls.

    That of the call, or of the attribute that it hands on where nothing else is ever written to
    it.  None: the scale is an argument, a field of a configuration, or cannot be read.
    """
    if place is None or place.line is None:
        return None
    tree = tree_at(place, root)
    for value in _scales(tree, place.line):
        if _is_one(value):
            return place
        if isinstance(value, ast.Attribute):
            return _attribute(tree, value.attr, place)
    return None


def written_factor(operation: Operation, root: str) -> Place | None:
    """The line that gives the name of a scale the number 1, where an operation does no more.

    None: it does more, or its factor is no name that is 1 by the text alone.  A bare number in
    the product itself says that 1 is meant.
    """
    place = operation.place
    numbers = [one for one in operation.args if isinstance(one, float | int)]
    if operation.name not in _SCALES or numbers != [1] or place is None or place.line is None:
        return None
    tree = tree_at(place, root)
    products = (node for node in ast.walk(tree) if isinstance(node, ast.BinOp))
    factors = (
        factor
        for node in products
        if covers(node, place.line)
        for factor in (node.left, node.right)
    )
    places = (_of_factor(tree, factor, place) for factor in factors)
    return next((found for found in places if found is not None), None)


def _of_factor(tree: ast.AST, factor: ast.expr, place: Place) -> Place | None:
    """The line that writes 1 to a factor that has a name; None: it has none, or not only 1."""
    if isinstance(factor, ast.Attribute):
        return _attribute(tree, factor.attr, place)
    return _name(tree, factor.id, place) if isinstance(factor, ast.Name) else None


def _name(tree: ast.AST, name: str, place: Place) -> Place | None:
    """The last line of the function around `place` that writes 1 to a name; None: not only 1."""
    function = _around(tree, ast.FunctionDef, place)
    line = None if function is None else _writes_one(function, ast.Name, "id", name)
    return None if line is None else replace(place, line=line)


def _scales(tree: ast.AST, line: int) -> Iterator[ast.expr]:
    """What calls of that line are given as their scale."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and covers(node, line):
            yield from (each.value for each in node.keywords if each.arg in _NAMES)


def _is_one(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in (1, 1.0)


def _attribute(tree: ast.AST, name: str, place: Place) -> Place | None:
    """The last line of the class around `place` that writes 1 to an attribute; None: not only 1."""
    owner = _around(tree, ast.ClassDef, place)
    line = None if owner is None else _writes_one(owner, ast.Attribute, "attr", name)
    if owner is None or line is None:
        return None
    return Place(path=place.path, symbol=f"{owner.name}.__init__", line=line)


def _around(tree: ast.AST, kind: type[_Part], place: Place) -> _Part | None:
    """The innermost definition of a kind around a place."""
    around = [
        node for node in ast.walk(tree) if isinstance(node, kind) and covers(node, place.line or 0)
    ]
    return max(around, key=lambda node: node.lineno, default=None)


def _writes_one(part: ast.AST, kind: type[ast.expr], field: str, name: str) -> int | None:
    """The last line that gives a name the value 1; None: none does, or one gives it another."""
    written = [
        node
        for node in ast.walk(part)
        if isinstance(node, ast.Assign)
        and any(isinstance(each, kind) and getattr(each, field) == name for each in node.targets)
    ]
    ones = all(_is_one(node.value) for node in written)
    return max((node.lineno for node in written), default=None) if ones else None
