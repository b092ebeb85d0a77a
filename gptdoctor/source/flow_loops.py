"""Loops by their form and text: whether one may choose what it calls, before names are followed."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import names_in
from gptdoctor.source.kept import kept
from gptdoctor.source.nodes import children, scope_inner_nodes_in
from gptdoctor.source.statements import SCOPES, own_statements

Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp
Loop = ast.For | Comprehension | ast.Lambda
# What a network computes: a call of it, or of a function or an `@` with its weights.
Answer = ast.Call | ast.BinOp
LOOPS = ast.For, ast.ListComp, ast.SetComp, ast.GeneratorExp
BUILTINS = frozenset(dir(builtins))
# What `name = value` may bind to a part of something: one index, or several side by side.
PICKING = ast.Subscript, ast.Tuple, ast.List
# What an index picked and is called, `experts[1](x)`, with parentheses or a comment in between.
_PICKED_CALL = re.compile(r"\][\s\\)]*[(#]")


def calls_what_is_picked(loop: ast.For, function: Function) -> bool:
    """Whether a loop may call what an index picks, as far as its lines tell."""
    return _PICKED_CALL.search(function.module.lines_of(loop)) is not None


def may_choose(node: Loop, answers: list[Answer], function: Function) -> bool:
    """Whether some call has a form in which a loop chooses a network; most loops have none.

    Asked before anything is looked up, for which all bindings of the function are collected.
    """
    own: frozenset[str] | None = None
    for call in answers:
        called = call.func if isinstance(call, ast.Call) else None
        if isinstance(called, ast.Subscript):
            return True
        if isinstance(called, ast.Name) and not _is_known(called.id, function):
            own = _target_names(node) if own is None else own
            if called.id in own or called.id in picked_around(function):
                return True
        for value in (call.left, call.right) if isinstance(call, ast.BinOp) else call.args:
            if isinstance(value, ast.Subscript) and self_attribute(value.value):
                return True
    return False


def _target_names(node: Loop) -> frozenset[str]:
    """The names that a loop binds as it goes on."""
    if isinstance(node, ast.For):
        targets = [node.target]
    else:
        clauses = [] if isinstance(node, ast.Lambda) else node.generators
        targets = [clause.target for clause in clauses]
    return frozenset(name.id for target in targets for name in names_in(target))


@kept(8)  # for the loops of one function, one after the other
def picked_around(function: Function) -> frozenset[str]:
    """The names that a function or one around it binds to something with an index, perhaps."""
    found: set[str] = set()
    around: Function | None = function
    while around is not None:
        found.update(name.id for target in _picking(around) for name in names_in(target))
        around = around.outer
    return frozenset(found)


def _picking(function: Function) -> Iterator[ast.expr]:
    """What the statements of a function, and `:=`, bind so."""
    for statement in own_statements(function.node):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, PICKING):
            yield from statement.targets
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.value, PICKING):
            yield statement.target
    for node in own_nodes(function.node) if ":=" in function.text else ():
        if isinstance(node, ast.NamedExpr):
            yield node.target


def _is_known(name: str, function: Function) -> bool:
    """Whether a name is Python's own, or a function or an import of the module."""
    module = function.module
    return name in BUILTINS or name in module.functions or name in module.names.aliases


def answers_in(node: Loop) -> list[Answer]:
    """The calls and products in a loop's body."""
    if isinstance(node, ast.For):
        roots: list[ast.AST] = list(node.body)
    else:
        roots = [node.body if isinstance(node, ast.Lambda) else node.elt]
    stack: list[ast.AST] = []
    for root in reversed(roots):
        stack += children(root) if root.__class__ in SCOPES else [root]
    return [
        inner
        for inner in scope_inner_nodes_in(stack)
        if isinstance(inner, ast.Call)
        or (isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.MatMult))
    ]
