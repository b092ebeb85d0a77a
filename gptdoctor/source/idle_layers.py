"""Layers whose only result is given to a name that nobody reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.constructors import own_text
from gptdoctor.source.flow_targets import names_in
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import own_statements


def idle_statements(node: ast.FunctionDef, module: SourceModule) -> Iterator[ast.Assign]:
    """The assignments of a method whose names stand nowhere else in it; most methods have none."""
    text = module.lines_of(node)
    for statement in own_statements(node):
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        plain = isinstance(target, ast.Name | ast.Tuple)
        names = [one.id for one in names_in(target)] if plain else []
        if names and all(_stands_once(name, text) for name in names):
            yield statement


def _stands_once(name: str, text: str) -> bool:
    """Whether a name is read nowhere; one that begins with "_" is not meant to be."""
    if name.startswith("_") or not name.isascii():
        return False
    first = text.find(name)
    return first >= 0 and len(re.findall(rf"(?<![.\w]){name}\b", text)) == 1


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
