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

from gptdoctor.source.classes import FunctionNode
from gptdoctor.source.flow_targets import (
    GROWING,
    Part,
    Position,
    Role,
    end,
    names_in,
    root_name,
    start,
    text_of,
    unpack,
    unzip,
)
from gptdoctor.source.nodes import inner_children, inner_nodes
from gptdoctor.source.statements import BLOCKS, SCOPES, any_between, lines_at

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
END: Position = (sys.maxsize, 0)


# Neither is frozen, though nothing changes them: hundreds are made for each function, and a frozen
# one takes three times as long to make.
@dataclass(eq=False, kw_only=True)
class Block:
    """A stretch of text that may be skipped or left early: a branch, a loop's body."""

    start: Position
    end: Position
    owner: int  # the same for the branches of one statement
    loop: bool = False
    leaves: bool = False  # ends by return, raise, continue or break
    condition: ast.expr | None = None  # the test of the `if` around it
    holding: bool = True  # whether the test holds in here

    def holds(self, place: Position) -> bool:
        """Whether `place` lies inside."""
        return self.start <= place <= self.end


@dataclass(eq=False)
class Binding:
    """One binding of a name."""

    name: str
    role: Role
    value: ast.expr | None
    since: Position  # from where on it holds
    index: int | None = None  # of ITEM
    blocks: tuple[Block, ...] = ()  # around it, outermost first
    until: Position = END  # where a comprehension's names end
    among: int = 1  # of how many items an ITEM is one


@dataclass(eq=False)
class Bindings:
    """All bindings of one function, nested functions left out."""

    by_name: dict[str, list[Binding]] = field(default_factory=dict)
    branches: list[Block] = field(default_factory=list)

    def reaching(self, name: str, place: Position, *, carried: bool = False) -> list[Binding]:
        """The bindings that `name` may have at `place`, nearest first.

        With `carried`, also those further down in a loop around the place.
        """
        known = self.by_name.get(name, [])
        local = [one for one in known if one.until != END and one.since <= place <= one.until]
        if local:
            return [max(local, key=lambda one: one.since)]
        plain = [one for one in known if one.until == END]
        found = list(self._above(plain, place))
        if carried:
            found.extend(one for one in plain if one.since > place and _same_loop(one, place))
        return found

    def _above(self, known: list[Binding], place: Position) -> Iterator[Binding]:
        for binding in reversed(known):
            if binding.since > place or self._elsewhere(binding, place):
                continue
            yield binding
            sure = all(block.holds(place) for block in binding.blocks)
            if sure and binding.role is not Role.CHANGED:
                return

    def _elsewhere(self, binding: Binding, place: Position) -> bool:
        """Whether the binding lies in a branch from which the place is not reached."""
        outside = [block for block in binding.blocks if not block.holds(place)]
        around = [block for block in self.branches if block.holds(place)] if outside else []
        return any(
            block.leaves or any(_excludes(block, other) for other in around) for block in outside
        )


def _excludes(block: Block, other: Block) -> bool:
    """Whether only one of two blocks runs: branches of one `if`, or of two with the same test."""
    if block.owner == other.owner:
        return True
    if block.condition is None or other.condition is None or block.holding is other.holding:
        return False
    return text_of(block.condition) == text_of(other.condition) != ""


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
    for binding in _bound(body, found.branches, lines):
        found.by_name.setdefault(binding.name, []).append(binding)
    for known in found.by_name.values():
        known.sort(key=lambda one: one.since)


def _bound(
    body: list[ast.stmt], branches: list[Block], lines: list[int] | None
) -> Iterator[Binding]:
    """The bindings below a body, in no order; the blocks met on the way go into `branches`."""
    stack: list[tuple[list[ast.stmt], tuple[Block, ...]]] = [(body, ())]
    while stack:
        statements, blocks = stack.pop()
        for statement in statements:
            kind = statement.__class__
            yield from _in_statement(statement, blocks)
            if kind not in SCOPES and (lines is None or _has_one(lines, statement)):
                yield from _in_expressions(statement, blocks)
            if kind not in BLOCKS or kind in SCOPES:
                continue
            for inner, block in _inner_blocks(statement):
                if block is not None:
                    branches.append(block)
                stack.append((inner, (*blocks, block) if block else blocks))


def _has_one(lines: list[int], statement: ast.stmt) -> bool:
    """Whether one of these lines is a statement's own, and not of the statements inside it."""
    body = getattr(statement, "body", None)
    last = body[0].lineno if body else statement.end_lineno or statement.lineno
    return any_between(lines, statement.lineno, last)


def _inner_blocks(statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], Block | None]]:
    """The bodies inside a statement, each with its block; a `with` always runs its body."""
    loop = isinstance(statement, ast.For | ast.AsyncFor | ast.While)
    always = isinstance(statement, ast.With | ast.AsyncWith)
    bodies = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    bodies.extend(handler.body for handler in getattr(statement, "handlers", []))
    bodies.extend(case.body for case in getattr(statement, "cases", []))
    exclusive = isinstance(statement, ast.If | ast.Match)
    condition = statement.test if isinstance(statement, ast.If) else None
    for number, body in enumerate(bodies):
        if body:
            owner = id(statement) if exclusive else id(statement) + number + 1
            leaves = isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
            block = Block(
                start=start(body[0]),
                end=end(body[-1]),
                owner=owner,
                loop=loop and not number,
                leaves=leaves,
                condition=condition,
                holding=not number,
            )
            yield body, None if always else block


def _in_statement(statement: ast.stmt, blocks: tuple[Block, ...]) -> Iterator[Binding]:
    """What one statement binds by itself, not by the statements inside it."""
    after = end(statement)
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):  # nine of ten, and no more than this
                yield Binding(target.id, Role.WHOLE, statement.value, after, None, blocks)
            else:
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
