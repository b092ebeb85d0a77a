"""Statements that change what a name holds, whole or in part, instead of naming something new."""

from __future__ import annotations

import ast

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.kept import kept
from gptdoctor.source.names import called_name
from gptdoctor.source.statements import own_statements

_CHANGING = (ast.AugAssign, ast.Assign)
# Methods of scores that change them and are called as statements.
IN_PLACE = frozenset({"masked_fill_", "add_", "mul_", "div_"})


@kept(64)
def changes_in(function: Function) -> dict[ast.expr, ast.stmt]:
    """By what is written, or by each argument of a method in place: the statement."""
    found: dict[ast.expr, ast.stmt] = {}
    for one in own_statements(function.node):
        if isinstance(one, _CHANGING) and _changes(one):
            found[one.value] = one
        elif isinstance(one, ast.Expr) and called_name(one.value) in IN_PLACE:
            given = one.value.args if isinstance(one.value, ast.Call) else []
            found.update((value, one) for value in given)
    return found


def _changes(node: ast.AugAssign | ast.Assign) -> bool:
    """Whether a statement changes what a name holds, or a part of it."""
    return isinstance(node, ast.AugAssign) or isinstance(node.targets[0], ast.Subscript)
