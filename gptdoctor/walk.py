"""One walk of a tree, which finds the nodes that some handler is called for.

Nine tenths of a tree's nodes are names, constants and marks that no handler asks for.  They are
seen from the node above them and never put on the way, nor are annotations: what is said of types
trains nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gptdoctor.defect import Chain
from gptdoctor.dispatch import ByName, Handlers, Table
from gptdoctor.source.nodes import Values, values_of

# Nodes without others in them, and those in which nothing happens.
_LEAVES = frozenset(
    {
        *(ast.Name, ast.Constant, ast.Import, ast.ImportFrom, ast.alias, ast.arg),
        *(ast.Global, ast.Nonlocal, ast.Pass, ast.Break, ast.Continue, ast.TypeIgnore),
    }
)
# Contexts, operators and the like: one object each, that all trees share.
_MARKS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
_TYPES = frozenset({"annotation", "returns", "type_comment", "type_ignores", "type_params"})
_TEXTS = frozenset({"id", "attr", "name", "names", "kind", "module", "level", "conversion", "rest"})

_ATTRIBUTE, _NAME = ast.Attribute, ast.Name
_NOBODY: tuple[Handlers, ByName] = ((), {})

Hit = tuple[ast.AST, Chain, Handlers]


@dataclass(frozen=True, eq=False, kw_only=True)
class Ways:
    """Where a walk goes on from each kind of node, for a set of kinds that are asked for."""

    values: Mapping[type[ast.AST], Values]
    leaves: frozenset[type]  # kinds of values that are not entered


def ways_for(kinds: Iterable[type[ast.AST]]) -> Ways:
    """The ways to all nodes of these kinds."""
    wanted = frozenset(kinds)
    every = [
        one for one in vars(ast).values() if isinstance(one, type) and issubclass(one, ast.AST)
    ]
    marks = {one for one in every if issubclass(one, _MARKS)}
    leaves = ({*_LEAVES, *marks} - wanted) | {type(None), str, int, bool, type}
    return Ways(
        values={kind: values_of(_fields(kind, wanted)) for kind in every},
        leaves=frozenset(leaves),
    )


def _fields(kind: type[ast.AST], wanted: frozenset[type[ast.AST]]) -> tuple[str, ...]:
    """The fields of a kind that may lead to a node that is asked for."""
    if kind is ast.Constant:
        return ()  # it may hold anything, but no node
    left_out = set(_TYPES)
    if kind is not ast.MatchMapping:
        left_out |= _TEXTS if ast.alias not in wanted else _TEXTS - {"names"}
    if not any(issubclass(one, _MARKS) for one in wanted):
        left_out |= {"ctx", "op", "ops"}
    return tuple(field for field in kind._fields if field not in left_out)


def walk(tree: ast.AST, table: Table, ways: Ways) -> list[Hit]:
    """The nodes that the table has handlers for, each with the nodes around it.

    Written out in one piece, for it is run for each of millions of nodes.
    """
    values, leaves, asked = ways.values, ways.leaves, table.kinds
    every, attributes = asked.get(_ATTRIBUTE, _NOBODY)
    hits: list[Hit] = []
    stack: list[tuple[ast.AST, Chain]] = [(tree, None)]
    push, pop = stack.append, stack.pop
    while stack:
        here = pop()  # of what is below the node, it is the chain
        node, chain = here
        kind = node.__class__
        if kind in asked:
            found, named = asked[kind]
            if named:
                name = _name(node)
                if name in named:
                    found += named[name]
            if found:
                hits.append((node, chain, found))
        for value in values[kind](node):
            inner = value.__class__
            if inner in leaves:
                continue
            if inner is list:
                for one in value:
                    if one.__class__ not in leaves:
                        push((one, here))
            # An attribute is mostly one of a name, and then there is no more in it.
            elif (
                inner is not _ATTRIBUTE
                or value.value.__class__ is not _NAME
                or value.attr in attributes
                or every
            ):
                push((value, here))
    return hits


def _name(node: ast.AST) -> str:
    """The name that a node bears; of a call, the last one of what it calls."""
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(named, ast.Attribute):
        return named.attr
    return getattr(named, "id", None) or getattr(named, "name", None) or ""
