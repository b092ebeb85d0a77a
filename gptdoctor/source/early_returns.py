"""Returns of a function that come before it puts back what it changed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import start
from gptdoctor.source.statements import own_statements


def returns_before(
    change: ast.AST, function: Function, restores: Callable[[ast.AST], bool]
) -> Iterator[ast.Return]:
    """The returns between a change and the last statement that puts it back.

    One that stands behind such a statement in its own block, or in a `try` that ends with one, is
    none of them.
    """
    again = [one for one in own_statements(function.node) if restores(one)]
    last = max(map(start, again), default=start(change))
    for statement in own_statements(function.node):
        if not isinstance(statement, ast.Return) or not start(change) < start(statement) < last:
            continue
        around = function.statements_around(statement)
        if not any(_is_restored(one, before, again, change) for one, before in around):
            yield statement


def _is_restored(
    around: ast.stmt, before: list[ast.stmt], again: list[ast.AST], change: ast.AST
) -> bool:
    """Whether one of the statements that restore runs before a return that `around` holds."""
    known = {id(one) for one in again}
    ending = around.finalbody if isinstance(around, ast.Try) else []
    return any(
        id(node) in known and (start(node) > start(change))
        for one in (*before, *ending)
        for node in ast.walk(one)
    )
