"""Where local names get their values: enough data flow to be sure, and a "no" where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from gptdoctor.remedies.parsed import ParsedSource, walk

# Blocks that may be passed by, or run more than once.
BRANCHES = cst.If | cst.Else | cst.For | cst.While | cst.Try | cst.ExceptHandler | cst.MatchCase


@dataclass(frozen=True, eq=False, kw_only=True)
class Binding:
    """One place that gives a name a value."""

    name: cst.Name
    value: cst.BaseExpression | None  # None: a parameter, an import, a with or except target
    # Which part of the value: () all of it, (1,) its second element, ("each",) its elements.
    part: tuple[int | str, ...]
    statement: cst.CSTNode  # the assignment, the for, the parameter
    augmented: bool = False


def function_of(source: ParsedSource, node: cst.CSTNode) -> cst.FunctionDef | None:
    """The innermost function around a node."""
    return source.around(node, cst.FunctionDef)


def bindings(scope: cst.CSTNode, name: str) -> list[Binding]:
    """All places of a function, or of a module, that bind a name, in the order of the text."""
    return [found for found in _all_bindings(scope) if found.name.value == name]


def _all_bindings(scope: cst.CSTNode) -> Iterator[Binding]:
    kinds = (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor)
    for node in walk(scope, *kinds, cst.Param, cst.AsName):
        if isinstance(node, cst.Assign):
            for target in node.targets:
                yield from _targets(target.target, node.value, (), node)
        elif isinstance(node, cst.AnnAssign) and node.value is not None:
            yield from _targets(node.target, node.value, (), node)
        elif isinstance(node, cst.AugAssign) and isinstance(node.target, cst.Name):
            yield _binding(node.target, node.value, (), node, augmented=True)
        elif isinstance(node, cst.NamedExpr):
            yield from _targets(node.target, node.value, (), node)
        elif isinstance(node, cst.For | cst.CompFor):
            yield from _targets(node.target, node.iter, ("each",), node)
        elif isinstance(node, cst.Param | cst.AsName) and isinstance(node.name, cst.Name):
            yield _binding(node.name, None, (), node)


def _targets(
    target: cst.BaseExpression,
    value: cst.BaseExpression,
    part: tuple[int | str, ...],
    statement: cst.CSTNode,
) -> Iterator[Binding]:
    if isinstance(target, cst.Name):
        yield _binding(target, value, part, statement)
    elif isinstance(target, cst.Tuple | cst.List):
        starred = False
        for position, element in enumerate(target.elements):
            starred = starred or isinstance(element, cst.StarredElement)
            place: int | str = "rest" if starred else position
            yield from _targets(element.value, value, (*part, place), statement)


def _binding(
    name: cst.Name,
    value: cst.BaseExpression | None,
    part: tuple[int | str, ...],
    statement: cst.CSTNode,
    *,
    augmented: bool = False,
) -> Binding:
    """One binding; the parts of a tuple, zip or enumerate written out are taken apart."""
    while part and value is not None:
        inner = _taken_apart(value, part)
        if inner is None:
            break
        value, part = inner
    return Binding(name=name, value=value, part=part, statement=statement, augmented=augmented)


def _taken_apart(
    value: cst.BaseExpression, part: tuple[int | str, ...]
) -> tuple[cst.BaseExpression, tuple[int | str, ...]] | None:
    first = part[0]
    if isinstance(value, cst.Tuple | cst.List) and isinstance(first, int):
        return value.elements[first].value, part[1:]
    if first != "each" or len(part) < 2 or not isinstance(value, cst.Call):
        return None
    position = part[1]
    if isinstance(value.func, cst.Name) and isinstance(position, int):
        if value.func.value == "zip" and position < len(value.args):
            return value.args[position].value, ("each", *part[2:])
        if value.func.value == "enumerate" and position == 1 and value.args:
            return value.args[0].value, ("each", *part[2:])
    return None


def reaching(source: ParsedSource, name: str, use: cst.CSTNode) -> Binding | None:
    """The one binding that a use of a name sees, or None where the text leaves it open.

    The last binding before the use must stand in a block around the use, so that nothing can
    pass it by; and no binding after the use may come round again with the next turn of a loop.
    """
    function = function_of(source, use)
    if function is None:
        return None
    place, _ = source.span(use)
    seen = [one for one in bindings(function, name) if _in_scope(source, one, use)]
    inner = [one for one in seen if isinstance(one.statement, cst.CompFor)]
    if inner:
        return inner[-1]
    before = [one for one in seen if _end(source, one) <= place]
    if not before or not dominates(source, before[-1], use):
        return None
    after = [one for one in seen if one not in before]
    comes_round = any(_comes_round(source, before[-1], one, use) for one in after)
    return None if comes_round else before[-1]


def _in_scope(source: ParsedSource, binding: Binding, use: cst.CSTNode) -> bool:
    """Whether the use can see the binding at all: comprehensions and lambdas keep theirs."""
    if isinstance(binding.statement, cst.CompFor):
        scope: cst.CSTNode | None = source.around(binding.statement, cst.BaseComp)  # type: ignore[type-abstract]
    elif isinstance(binding.statement, cst.Param):
        links = source.parents(binding.statement)
        scope = next(link for link in links if isinstance(link, cst.Lambda | cst.FunctionDef))
    else:
        return True
    return scope is not None and source.inside(use, scope)


def _end(source: ParsedSource, binding: Binding) -> int:
    """From where on a binding counts."""
    if isinstance(binding.statement, cst.For):
        return source.span(binding.statement.iter)[1]
    return source.span(binding.statement)[1]


def _comes_round(source: ParsedSource, found: Binding, later: Binding, use: cst.CSTNode) -> bool:
    """Whether a loop around the use, but not around what was found, holds a later binding."""
    return any(
        source.inside(later.statement, loop) and not source.inside(found.statement, loop)
        for loop in source.parents(use)
        if isinstance(loop, cst.For | cst.While)
    )


def dominates(source: ParsedSource, binding: Binding, use: cst.CSTNode) -> bool:
    """Whether every way to the use leads through the binding."""
    if isinstance(binding.statement, cst.Param):
        return True
    if isinstance(binding.statement, cst.For):
        return source.inside(use, binding.statement.body)
    for parent in source.parents(binding.statement):
        if isinstance(parent, BRANCHES):
            return source.inside(use, parent) and not _elsewhere(source, parent, binding, use)
        if isinstance(parent, cst.FunctionDef):
            return True
    return False


def _elsewhere(
    source: ParsedSource, branch: cst.CSTNode, binding: Binding, use: cst.CSTNode
) -> bool:
    """Whether the use stands in another block of the same branching statement."""
    return any(
        source.inside(binding.statement, child) != source.inside(use, child)
        for child in branch.children
        if isinstance(child, cst.BaseSuite | cst.Else | cst.If | cst.ExceptHandler | cst.Finally)
    )


def uses(scope: cst.CSTNode, name: str, source: ParsedSource) -> list[cst.Name]:
    """All readings of a name in a function: attributes, keywords and targets are none."""
    return [node for node in walk(scope, cst.Name) if node.value == name and _is_read(source, node)]


def _is_read(source: ParsedSource, node: cst.Name) -> bool:
    parent = source.parent(node)
    if isinstance(parent, cst.Attribute):
        return parent.value is node
    if isinstance(parent, cst.Arg):
        return parent.value is node
    if isinstance(parent, cst.AssignTarget | cst.AsName | cst.Param | cst.NameItem):
        return False
    if isinstance(parent, cst.For | cst.CompFor):
        return parent.target is not node
    if isinstance(parent, cst.Element):
        return not _in_target(source, node)
    return True


def _in_target(source: ParsedSource, node: cst.CSTNode) -> bool:
    inner = node
    for parent in source.parents(node):
        if isinstance(parent, cst.AssignTarget):
            return True
        if isinstance(parent, cst.For | cst.CompFor):
            return parent.target is inner
        if not isinstance(parent, cst.Element | cst.StarredElement | cst.Tuple | cst.List):
            return False
        inner = parent
    return False


def names_in(node: cst.CSTNode) -> set[str]:
    """All names that occur in a node, attributes included."""
    return {name.value for name in walk(node, cst.Name)}


def fresh(scope: cst.CSTNode, *wanted: str) -> str:
    """The first of these names that a function, or a module, does not use yet."""
    taken = names_in(scope)
    for name in wanted:
        if name not in taken:
            return name
    number = 2
    while f"{wanted[0]}_{number}" in taken:
        number += 1
    return f"{wanted[0]}_{number}"


def has_call(node: cst.CSTNode) -> bool:
    """Whether running an expression twice would do work, or have effects, twice."""
    return any(True for _ in walk(node, cst.Call, cst.Await, cst.NamedExpr))
