"""Layers whose only result is given to a name that nobody reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constructors import own_text
from gptdoctor.source.flow_targets import names_in
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node

_WORKING = frozenset({ast.Call, ast.BinOp, ast.Subscript, ast.Tuple, ast.ListComp})


def idle_statements(node: ast.FunctionDef, module: SourceModule) -> Iterator[ast.Assign]:
    """The assignments of a method that may call a layer, and whose names it says nowhere else.

    Most methods have none.
    """
    text = module.lines_of(node)
    for statement in node.body:
        if not isinstance(statement, ast.Assign) or statement.value.__class__ not in _WORKING:
            continue
        names = _names_given(statement)
        if not names or not all(_stands_once(name, text) for name in names):
            continue  # as nearly all
        if "self" in module.lines_of(statement):  # else no layer works in it
            yield statement


def _names_given(statement: ast.Assign) -> list[str]:
    """The names that an assignment gives something, where it gives nothing else anything."""
    if len(statement.targets) != 1:
        return []
    target = statement.targets[0]
    if isinstance(target, ast.Name):
        return [target.id]
    return [one.id for one in names_in(target)] if isinstance(target, ast.Tuple) else []


def _stands_once(name: str, text: str) -> bool:
    """Whether a name is read nowhere; one that begins with "_" is not meant to be."""
    if name.startswith("_") or not name.isascii():
        return False
    found, at = 0, text.find(name)
    while at >= 0 and found < 2:  # most are read on one of the next lines
        before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        whole = not (before == "." or before == "_" or before.isalnum())
        found += whole and not (after == "_" or after.isalnum())
        at = text.find(name, at + len(name))
    return found == 1


def layers_used_in(statement: ast.Assign, info: ClassInfo) -> list[str]:
    """The attributes of a class that one statement calls, and that it names nowhere else."""
    inside = set(every_node(statement.value))
    called = {
        name
        for node in inside
        if isinstance(node, ast.Call) and (name := self_attribute(node.func))
    }
    text = own_text(info)
    return sorted(
        name
        for name in called - info.methods.keys()
        if all(
            use.node in inside
            for use in text.uses(name)
            if not (use.written and use.method.name == "__init__")
        )
    )
