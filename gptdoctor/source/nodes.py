"""The nodes below a node that hold something: no names, constants, contexts and operators.

Nine tenths of a tree's nodes are of those, and most questions are not about them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

_MARKS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
_TEXTS = frozenset({"id", "attr", "kind", "module", "level", "conversion", "type_comment"})
_EVERY = [one for one in vars(ast).values() if isinstance(one, type) and issubclass(one, ast.AST)]
_LEAVES = frozenset(
    [ast.Name, ast.Constant, type(None), str, int, bool, type]
    + [one for one in _EVERY if issubclass(one, _MARKS)]
)
# A constant may hold anything, but no node.
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    kind: tuple(
        field for field in kind._fields if field not in _TEXTS and field not in ("ctx", "op", "ops")
    )
    for kind in _EVERY
}
_FIELDS[ast.Constant] = ()

# Gives the values of some fields of a node, always as a tuple.
Values = Callable[[Any], tuple[Any, ...]]


def values_of(fields: tuple[str, ...]) -> Values:
    """Reads all fields of a node at once, which takes half the time of one after the other."""
    if not fields:
        return _nothing
    # Of a single field the value alone would come, and no tuple: its class, in which nobody looks
    # for nodes, keeps it company.
    return attrgetter(*fields) if len(fields) > 1 else attrgetter(*fields, "__class__")


def _nothing(_: Any) -> tuple[Any, ...]:
    return ()


# Most lists of a node are empty or hold one or two: a walk with plain loops over them takes five
# sixths of the time of one with comprehensions.
_VALUES: dict[type[ast.AST], Values] = {kind: values_of(_FIELDS[kind]) for kind in _EVERY}
_ENDS = frozenset(kind for kind in _EVERY if not _FIELDS[kind])  # such as names, half of all nodes


def inner_nodes(*trees: ast.AST) -> Iterator[ast.AST]:
    """Nodes and all below them that may hold others, without recursion; the last tree first."""
    stack = list(trees)
    push = stack.append
    while stack:
        node = stack.pop()
        yield node
        for value in _VALUES[node.__class__](node):
            if value.__class__ is list:
                for one in value:
                    if one.__class__ not in _LEAVES:
                        push(one)
            elif value.__class__ not in _LEAVES:
                push(value)


_NO_NODES = _LEAVES - {ast.Name, ast.Constant}


def every_node(tree: ast.AST) -> Iterator[ast.AST]:
    """What `ast.walk` gives, in its order, but contexts and operators; in a third of its time."""
    found = [tree]
    push = found.append
    for node in found:  # it grows on the way
        for value in _VALUES[node.__class__](node):
            if value.__class__ is list:
                for one in value:
                    if one.__class__ not in _NO_NODES:
                        push(one)
            elif value.__class__ not in _NO_NODES:
                push(value)
        yield node


# What is not entered: other scopes, and what holds nothing.
_CLOSED = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}) | _ENDS


def scope_nodes(scope: ast.AST, leaves: frozenset[type] = _NO_NODES) -> list[ast.AST]:
    """All nodes below a function but those of functions and classes defined in it."""
    return _scope_nodes_in(children(scope), leaves)


def _scope_nodes_in(stack: list[ast.AST], leaves: frozenset[type]) -> list[ast.AST]:
    """Some nodes and all below them but those of functions and classes, the last node first."""
    found: list[ast.AST] = []
    push = stack.append
    while stack:
        node = stack.pop()
        found.append(node)
        kind = node.__class__
        if kind in _CLOSED:
            continue
        for value in _VALUES[kind](node):  # as `children`, without a list for each
            if value.__class__ is list:
                for one in value:
                    if one.__class__ not in leaves:
                        push(one)
            elif value.__class__ not in leaves:
                push(value)
    return found


def scope_inner_nodes(scope: ast.AST) -> list[ast.AST]:
    """The same in the same order, without most names and constants, in half the time."""
    return scope_nodes(scope, _LEAVES)


def scope_inner_nodes_in(stack: list[ast.AST]) -> list[ast.AST]:
    """The same of some nodes, these included, the last first; `stack` is used up."""
    return _scope_nodes_in(stack, _LEAVES)


def children(node: ast.AST, leaves: frozenset[type] = _NO_NODES) -> list[ast.AST]:
    """The nodes directly below a node, but contexts and operators."""
    found: list[ast.AST] = []
    push = found.append
    for value in _VALUES[node.__class__](node):
        if value.__class__ is list:
            for one in value:
                if one.__class__ not in leaves:
                    push(one)
        elif value.__class__ not in leaves:
            push(value)
    return found


def inner_children(node: ast.AST) -> list[ast.AST]:
    """Those of them that may hold others."""
    return children(node, _LEAVES)


def calls_below(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls in a node, in no order."""
    for node in inner_nodes(tree):
        if node.__class__ is ast.Call and isinstance(node, ast.Call):
            yield node
