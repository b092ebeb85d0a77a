"""Names that a silenced import leaves unbound or None, and whether the code looks before use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from gptdoctor.source.imports import Handlers, is_none
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Parents = tuple[ast.AST, ...]
EXITS = ast.Raise | ast.Return | ast.Continue | ast.Break


def needed_at(module: SourceModule, name: str, statement: Handlers) -> ast.AST | None:
    """Where `name`, bound in `statement` or not at all, is called or derived from unlooked.

    None where each use stands behind a test, where the definition around the use is itself chosen
    by a test, or where other code binds the name again.
    """
    nodes = list(_with_parents(module.tree))
    signals = {name, *_flags(statement)}
    if any(_binds(node, name, statement, parents) for node, parents in nodes):
        return None
    for node, parents in nodes:
        unlooked = _needs(node, name) and not _looked(node, parents, signals)
        if unlooked and not any(_chosen(nodes, unit) for unit in _units(parents)):
            return node
    return None


def _with_parents(tree: ast.Module) -> Iterator[tuple[ast.AST, Parents]]:
    stack: list[tuple[ast.AST, Parents]] = [(tree, ())]
    while stack:
        node, parents = stack.pop()
        yield node, parents
        below = (*parents, node)
        stack.extend((child, below) for child in reversed(list(ast.iter_child_nodes(node))))


def _flags(statement: Handlers) -> Iterator[str]:
    """Plain names assigned beside the import: `HAS_FLASH = True`."""
    for node in every_node(statement):
        if isinstance(node, ast.Assign) and not is_none(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _binds(node: ast.AST, name: str, statement: Handlers, parents: Parents) -> bool:
    """Whether a node at the top level binds `name` outside `statement`."""
    if statement in parents or _units(parents):
        return False
    if isinstance(node, Definition):
        return node.name == name
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)


def _needs(node: ast.AST, name: str) -> bool:
    """Whether a node fails when `name` is None: it calls it, derives from it or decorates."""
    if isinstance(node, ast.Call):
        return _root(node.func) == name
    if isinstance(node, ast.ClassDef):
        return any(_root(base) == name for base in [*node.bases, *node.decorator_list])
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return any(_root(decorator) == name for decorator in node.decorator_list)
    return False


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return getattr(node, "id", "")


def _units(parents: Parents) -> list[Definition]:
    return [parent for parent in parents if isinstance(parent, Definition)]


def _looked(node: ast.AST, parents: Parents, signals: set[str]) -> bool:
    """Whether a use stands under a test or behind an exit, or its definition tests a signal."""
    units = _units(parents)
    chain = [*parents, node]
    within = chain[chain.index(units[0]) :] if units else chain
    if any(isinstance(parent, ast.If | ast.IfExp | ast.Try | ast.match_case) for parent in within):
        return True
    if any(_exits_before(parent, inner) for parent, inner in pairwise(within)):
        return True
    return bool(units) and any(_names(test) & signals for test in _tests(units[0]))


def _exits_before(parent: ast.AST, inner: ast.AST) -> bool:
    for statement in getattr(parent, "body", []) if isinstance(parent, ast.stmt) else []:
        if statement is inner:
            return False
        if isinstance(statement, ast.If) and isinstance(statement.body[-1], EXITS):
            return True
    return False


def _tests(node: ast.AST) -> Iterator[ast.expr]:
    for inner in every_node(node):
        if isinstance(inner, ast.If | ast.IfExp | ast.While | ast.Assert):
            yield inner.test
        elif isinstance(inner, ast.BoolOp | ast.Compare):
            yield inner


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in every_node(node) if isinstance(inner, ast.Name)}


def _chosen(nodes: list[tuple[ast.AST, Parents]], unit: Definition) -> bool:
    """Whether a definition is picked by a test or from a table wherever it is named."""
    choosers = ast.If | ast.IfExp | ast.BoolOp | ast.Dict | ast.match_case
    return any(
        (getattr(node, "id", None) == unit.name or getattr(node, "attr", None) == unit.name)
        and isinstance(node, ast.Name | ast.Attribute)
        and unit not in parents
        and any(isinstance(parent, choosers) for parent in parents)
        for node, parents in nodes
    )
