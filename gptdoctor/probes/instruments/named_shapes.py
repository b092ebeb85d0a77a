"""Shapes that have a name: what is wrong with one was written some lines above its use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import covers
from gptdoctor.probes.instruments.nearby_text import function_at
from gptdoctor.specimen.places import innermost, user_place

# They are given a whole shape, as one tuple or as numbers.
SHAPED = frozenset({"view", "reshape", "expand", "repeat", "zeros", "ones", "full", "empty"})
# How torch refuses what is no shape: "view() received ...", "reshape(): argument 'shape' ...".
_REFUSED = re.compile(r"(\w+)\(\)(?:: argument '(?:size|shape)'| received an invalid combination)")
# In those words, a shape where a number is due.
_NESTED = re.compile(r"found element of type (?:torch\.Size|tuple)|got \((?:torch\.Size|tuple),")


def shape_place(place: Place, root: str) -> Place:
    """Where the one named shape that is used at a place was put together; else that place."""
    found = dict(_assigned_above(place, root))
    return replace(place, line=next(iter(found.values()))) if len(found) == 1 else place


def nested_shape(error: BaseException | None, root: str) -> tuple[Place, str] | None:
    """Where a shape is put into a shape that torch refuses for it, and the operation.

    A star is missing: `(*x.shape[:-1], -1, 64)` was meant.
    """
    refused = _REFUSED.match(str(error)) if isinstance(error, TypeError) else None
    frame = innermost(error) if isinstance(error, TypeError) else None
    place = user_place(frame, root)
    if refused is None or frame is None or place is None or refused[1] not in SHAPED:
        return None
    if _NESTED.search(str(error)):
        return shape_place(place, root), refused[1]
    for name, line in _assigned_above(place, root):
        value = frame.f_locals.get(name)
        if isinstance(value, tuple) and any(isinstance(each, tuple) for each in value):
            return replace(place, line=line), refused[1]
    return None


def _assigned_above(place: Place, root: str) -> Iterator[tuple[str, int]]:
    """The names that operations at a place are given as shapes, with the line that made them."""
    function, line = function_at(place, root), place.line or 0
    if function is None:
        return
    for name in dict.fromkeys(_shape_names(function, line)):
        made = [
            node.lineno
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and node.lineno < line
            if any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
        ]
        if made:
            yield name, max(made)


def _shape_names(function: ast.AST, line: int) -> Iterator[str]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not covers(node, line):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in SHAPED:
            given = [*node.args[-1:], *(one.value for one in node.keywords)]
            for each in given:
                value = each.value if isinstance(each, ast.Starred) else each
                if isinstance(value, ast.Name):
                    yield value.id
