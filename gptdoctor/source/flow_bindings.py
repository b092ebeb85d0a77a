"""Which values a name may hold where a function reads it.

An approximation by the order of the text: the last binding above the place counts, together
with those in branches and loops before it that may or may not have run.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from gptdoctor.source.classes import FunctionNode
from gptdoctor.source.flow_blocks import Block, excludes, placed
from gptdoctor.source.flow_targets import (
    GROWING,
    Part,
    Position,
    Role,
    end,
    names_in,
    root_name,
    start,
    unpack,
    unzip,
)
from gptdoctor.source.nodes import inner_children, inner_nodes
from gptdoctor.source.statements import SCOPES, any_between, lines_at

_BINDING = frozenset(
    {ast.Call, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp, ast.NamedExpr}
)
# With one of these begins the text by which an expression binds a name: the `for` of a
# comprehension, `:=`, or a call of a method that changes its receiver, which `__init__(` does not.
# Each begins with plain letters and is looked for by itself: joined, they take many times as long.
_BINDING_TEXT = (
    *(re.compile(rf"{name}[\s\\]*\(") for name in sorted(GROWING)),
    *map(re.compile, (r"for(?<!\wfor)\b", r":=", r"_(?<!__)[\s\\]*\(")),
)
# Statements that bind a name by themselves.
_STATING = SCOPES | {
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)
}
END: Position = (sys.maxsize, 0)  # the one object: it is asked for by `is`


# Not frozen, though nothing changes it: hundreds are made for each function, and a frozen one takes
# three times as long to make.
@dataclass(eq=False)
class Binding:
    """One binding of a name."""

    name: str
    role: Role
    value: ast.expr | None
    since: Position  # from where on it holds
    index: int | None = None  # of ITEM, or within an ELEMENT that is taken apart
    blocks: tuple[Block, ...] = ()  # around it, outermost first
    until: Position = END  # where a comprehension's names end
    among: int = 1  # of how many items it is one; 0: its item is taken apart again


@dataclass(eq=False)
class Bindings:
    """All bindings of one function, nested functions left out."""

    by_name: dict[str, list[Binding]] = field(default_factory=dict)
    branches: list[Block] = field(default_factory=list)

    @cached_property
    def names_given(self) -> dict[ast.expr, list[str]]:
        """The names that each value is given to, in whole or in part."""
        found: dict[ast.expr, list[str]] = {}
        for name, known in self.by_name.items():
            for value in {one.value for one in known if one.value is not None}:
                found.setdefault(value, []).append(name)
        return found

    def reaching(self, name: str, place: Position, *, carried: bool = False) -> list[Binding]:
        """The bindings that `name` may have at `place`, nearest first.

        With `carried`, also those further down in a loop around the place.
        """
        known = self.by_name.get(name)
        if known is None:
            return []
        local = [one for one in known if one.until is not END and one.since <= place <= one.until]
        if local:
            return [max(local, key=lambda one: one.since)]
        plain = [one for one in known if one.until is END]
        found = list(self._above(plain, place))
        if carried:
            found.extend(one for one in plain if one.since > place and _same_loop(one, place))
        return found

    def _above(self, known: list[Binding], place: Position) -> Iterator[Binding]:
        for binding in reversed(known):
            if binding.since > place:
                continue
            outside = [block for block in binding.blocks if not block.holds(place)]
            if outside and self._excluded(outside, place):
                continue
            yield binding
            if not outside and binding.role is not Role.CHANGED:
                return

    def _excluded(self, outside: list[Block], place: Position) -> bool:
        """Whether a binding in blocks that end before a place does not reach it."""
        around = [block for block in self.branches if block.holds(place)]
        return any(
            block.leaves or any(excludes(block, other) for other in around) for block in outside
        )


def bindings_of(function: FunctionNode, text: str, first: int) -> Bindings:
    """Collect the bindings of a function; `text` are its lines, of which one is number `first`."""
    found = Bindings()
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every.extend(one for one in (arguments.vararg, arguments.kwarg) if one)
    for argument in every:
        beginning = Binding(argument.arg, Role.ARGUMENT, None, (function.lineno, 0))
        found.by_name[argument.arg] = [beginning]
    _fill(found, function.body, _binding_lines(text, first))
    return found


def bindings_in(tree: ast.Module) -> Bindings:
    """Collect the bindings of a module's own statements: a script is a function without a name."""
    found = Bindings()
    _fill(found, tree.body, None)
    return found


def _binding_lines(text: str, first: int) -> list[int] | None:
    """The lines in which an expression may bind a name; None where that cannot be told."""
    if not text.isascii():
        return None  # Python reads some letters of other scripts as those of ASCII
    places = [found.start() for pattern in _BINDING_TEXT for found in pattern.finditer(text)]
    return lines_at(text, places, first)


def _fill(found: Bindings, body: list[ast.stmt], lines: list[int] | None) -> None:
    """Collect what a body binds; the expressions that bind begin in `lines`, if these are told."""
    by_name = found.by_name
    for statement, blocks in placed(body, found.branches):
        kind = statement.__class__
        if kind in _STATING:
            for binding in _in_statement(statement, blocks):
                by_name.setdefault(binding.name, []).append(binding)
        # Most functions have no such line at all.
        if lines != [] and kind not in SCOPES and (lines is None or _has_one(lines, statement)):
            for binding in _in_expressions(statement, blocks):
                by_name.setdefault(binding.name, []).append(binding)
    for known in by_name.values():
        if len(known) > 1:
            known.sort(key=lambda one: one.since)


def _has_one(lines: list[int], statement: ast.stmt) -> bool:
    """Whether one of these lines is a statement's own, and not of the statements inside it."""
    body = getattr(statement, "body", None)
    last = body[0].lineno if body else statement.end_lineno or statement.lineno
    return any_between(lines, statement.lineno, last)


def _in_statement(statement: ast.stmt, blocks: tuple[Block, ...]) -> Iterator[Binding]:
    """What one statement binds by itself, not by the statements inside it."""
    after = end(statement)
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):  # nine of ten, and no more than this
                yield Binding(target.id, Role.WHOLE, statement.value, after, None, blocks)
            elif not _is_own(target):  # most others
                yield from _parts(unpack(target, statement.value), after, blocks)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield from _parts(unpack(statement.target, statement.value), after, blocks)
    elif isinstance(statement, ast.AugAssign):
        name = root_name(statement.target)
        if name:
            yield Binding(name, Role.CHANGED, statement.value, after, None, blocks)
    elif isinstance(statement, ast.For | ast.AsyncFor):
        inside = start(statement.body[0])
        yield from _parts(unzip(statement.target, statement.iter), inside, blocks)
    elif isinstance(statement, ast.With | ast.AsyncWith):
        for item in statement.items:
            for target in names_in(item.optional_vars) if item.optional_vars else []:
                where = end(item.context_expr)
                yield Binding(target.id, Role.OTHER, item.context_expr, where, None, blocks)
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield Binding(statement.name, Role.OTHER, None, after, None, blocks)


def _is_own(target: ast.expr) -> bool:
    """Whether a target is `self.NAME`, which changes no name."""
    return isinstance(target, ast.Attribute) and (
        isinstance(target.value, ast.Name) and target.value.id in ("self", "cls")
    )


def _parts(
    parts: Iterator[Part], since: Position, blocks: tuple[Block, ...], until: Position = END
) -> Iterator[Binding]:
    for part in parts:
        if isinstance(part.target, ast.Name):
            name, role = part.target.id, part.role
            yield Binding(name, role, part.value, since, part.index, blocks, until, part.among)
        elif isinstance(part.target, ast.Subscript | ast.Attribute):
            root = root_name(part.target)
            if root and root not in ("self", "cls"):
                yield Binding(root, Role.CHANGED, part.value, since, None, blocks)


def _in_expressions(statement: ast.stmt, blocks: tuple[Block, ...]) -> Iterator[Binding]:
    """Comprehensions, `:=` and methods that change their receiver, in a statement's own part."""
    roots = [child for child in inner_children(statement) if isinstance(child, ast.expr)]
    roots.extend(item.context_expr for item in getattr(statement, "items", []))
    for node in inner_nodes(*reversed(roots)) if roots else ():
        kind = node.__class__
        if kind not in _BINDING:
            continue  # nine of ten
        if isinstance(node, ast.Call):
            # Before a call is looked into: most names of methods end in a letter.
            if node.func.__class__ is ast.Attribute:
                yield from _changing_call(node, blocks)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            for clause in node.generators:
                parts = unzip(clause.target, clause.iter)
                yield from _parts(parts, start(node), blocks, end(node))
        elif isinstance(node, ast.NamedExpr):
            yield Binding(node.target.id, Role.WHOLE, node.value, end(node), None, blocks)


def _changing_call(call: ast.Call, blocks: tuple[Block, ...]) -> Iterator[Binding]:
    if not isinstance(call.func, ast.Attribute):
        return
    method = call.func.attr
    in_place = method.endswith("_") and not method.endswith("__")
    if not in_place and method not in GROWING:
        return
    name = root_name(call.func.value)
    if name in (None, "self", "cls"):
        return
    for value in [*call.args, *(keyword.value for keyword in call.keywords)]:
        if name:
            yield Binding(name, Role.CHANGED, value, end(call), None, blocks)


def _same_loop(binding: Binding, place: Position) -> bool:
    return any(block.loop and block.holds(place) for block in binding.blocks)
