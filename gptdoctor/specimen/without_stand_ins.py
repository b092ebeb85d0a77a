"""Definitions of the user's without the decorators and mixins that could not be imported.

A decorator that registers or checks leaves what it decorates as it is, and a mixin adds methods
that a forward pass seldom needs.  What is lost is noted with the import, which is to blame if the
model then fails.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from typing import Any

from gptdoctor.source.top_level import Definition
from gptdoctor.specimen.stand_in import Grafted, StandIn


def without_stand_ins(
    node: Definition, scope: Mapping[str, Any]
) -> tuple[Definition, list[StandIn]]:
    """A copy of a definition without the decorators and mixins that are stand-ins; and those."""
    slimmer = _Slimmer(scope)
    slim = slimmer.visit(copy.deepcopy(node))
    return ast.fix_missing_locations(slim), slimmer.dropped


class _Slimmer(ast.NodeTransformer):
    """Drops them, in the definition and in those of its class body."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.dropped: list[StandIn] = []
        self._scope = scope

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list = [one for one in node.decorator_list if not self._drops(one)]
        return node  # what its body defines is defined later, if ever

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        node.decorator_list = [one for one in node.decorator_list if not self._drops(one)]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.decorator_list = [one for one in node.decorator_list if not self._drops(one)]
        mixins = [base for base in node.bases if _last_name(base).endswith("Mixin")]
        if len(mixins) < len(node.bases):
            dropped = [base for base in mixins if self._drops(base)]
            node.bases = [base for base in node.bases if base not in dropped]
            if dropped:  # its keywords are most likely for the mixin
                node.keywords = [one for one in node.keywords if one.arg == "metaclass"]
        self.generic_visit(node)
        return node

    def _drops(self, expression: ast.expr) -> bool:
        found = [
            stand_in
            for part in ast.walk(expression)
            if isinstance(part, ast.Name | ast.Attribute)
            for stand_in in [_value_of(part, self._scope)]
            if isinstance(stand_in, StandIn)
        ]
        self.dropped += found[:1]
        return bool(found)


def _value_of(node: ast.expr, scope: Mapping[str, Any]) -> object:
    """The value of a chain of names, as far as modules and stand-ins lead."""
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    owner = _value_of(node.value, scope)
    if isinstance(owner, Grafted):
        return vars(owner).get(node.attr)
    return getattr(owner, node.attr, None) if isinstance(owner, StandIn) else None


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
