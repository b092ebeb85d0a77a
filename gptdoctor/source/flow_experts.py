"""Loops that run one network of several after the other: experts, heads, layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_loops import LOOPS, Answer, Loop, answers_in, may_choose, picked_around
from gptdoctor.source.flow_targets import Part, Role, end, names_in, root_name, start, unzip
from gptdoctor.source.kept import kept
from gptdoctor.source.nodes import children, every_node

# What is asked of a tensor without taking its values.
FORM = frozenset(["shape", "dtype", "device", "ndim", "size", "dim", "numel", "new_zeros"])


@dataclass(frozen=True, eq=False)
class ExpertLoop:
    """A loop in whose body networks are called that the loop's own names choose."""

    node: Loop
    function: Function
    parts: tuple[Part, ...]  # what the loop gives to its names
    calls: tuple[Answer, ...]  # of the chosen networks
    experts: ast.expr  # what they are chosen from: `self.experts`

    @cached_property
    def names(self) -> frozenset[str]:
        """The loop's names."""
        return loop_names(self.parts)

    @cached_property
    def members(self) -> frozenset[str]:
        """The names that stand for a network itself."""
        called = (call.func for call in self.calls if isinstance(call, ast.Call))
        return self.names & {one.id for one in called if isinstance(one, ast.Name)}

    def holds(self, node: ast.AST) -> bool:
        """Whether a node lies inside the loop."""
        return start(self.node) <= start(node) <= end(self.node)

    def answers(self, value: ast.expr) -> list[Answer]:
        """The calls of networks that a value is made from, through the loop's own names."""
        found: list[Answer] = []
        seen: set[ast.expr] = set()
        queue = [value]
        while queue:
            current = queue.pop()
            if current in seen:
                continue
            seen.add(current)
            for node in every_node(current):
                if isinstance(node, ast.Call | ast.BinOp) and node in self.calls:
                    found.append(node)
                elif isinstance(node, ast.Name):
                    queue.extend(self._made_here(node))
        return found

    def reads(self, value: ast.expr, name: str) -> bool:
        """Whether a value is made from what `name` holds; its shape and dtype do not count."""
        seen: set[ast.expr] = set()
        queue = [value]
        while queue:
            current = queue.pop()
            if current in seen:
                continue
            seen.add(current)
            for node in values_in(current):
                if isinstance(node, ast.Name):
                    if node.id == name:
                        return True
                    queue.extend(self._made_here(node))
        return False

    def _made_here(self, name: ast.Name) -> Iterator[ast.expr]:
        for binding in self.function.reaching(name):
            made = binding.role in (Role.WHOLE, Role.ITEM, Role.CHANGED)
            if made and binding.value is not None and self.holds(binding.value):
                yield binding.value


# Several rules ask it of one loop after the other.
@kept(8)
def expert_loop(node: ast.AST, function: Function) -> ExpertLoop | None:
    """The loop as one over networks, or None where it calls none."""
    if not isinstance(node, LOOPS):
        return None
    answers = answers_in(node)
    if not may_choose(node, answers, function):
        return None
    return _over_networks(node, answers, tuple(loop_parts(node, function)), function)


def _over_networks(
    node: Loop, answers: list[Answer], parts: tuple[Part, ...], function: Function
) -> ExpertLoop | None:
    names = loop_names(parts)
    calls, experts = [], None
    for call in answers:
        chosen_from = _chosen(call, names, parts, function)
        if chosen_from is not None:
            calls.append(call)
            experts = experts or chosen_from
    if experts is None:
        return None
    return ExpertLoop(node, function, parts, tuple(calls), experts)


def mapped_loop(node: ast.Lambda, call: ast.Call, function: Function) -> ExpertLoop | None:
    """`map(lambda w, expert: ..., gates, experts)` as a loop over networks."""
    if not isinstance(call.func, ast.Name) or call.func.id != "map" or call.args[:1] != [node]:
        return None
    parts = tuple(
        part
        for argument, source in zip(node.args.args, call.args[1:], strict=False)
        for target in [ast.copy_location(ast.Name(id=argument.arg, ctx=ast.Store()), argument)]
        for part in unzip(target, source)
    )
    return _over_networks(node, answers_in(node), parts, function)


def loop_parts(node: Loop, function: Function) -> Iterator[Part]:
    """What the names of a loop get; zips and generators kept in a name are followed."""
    if isinstance(node, ast.For):
        yield from unzip(node.target, resolved(node.iter, function))
    elif not isinstance(node, ast.Lambda):
        for clause in node.generators:
            yield from unzip(clause.target, resolved(clause.iter, function))


def resolved(value: ast.expr, function: Function) -> ast.expr:
    """The call or expression behind a name that is bound once."""
    for _ in range(3):
        if not isinstance(value, ast.Name):
            break
        found = function.reaching(value)
        if len(found) != 1 or found[0].role is not Role.WHOLE or found[0].value is None:
            break
        value = found[0].value
    return value


def loop_names(parts: tuple[Part, ...]) -> frozenset[str]:
    """The plain names among the targets of a loop."""
    return frozenset(name.id for part in parts for name in names_in(part.target))


def values_in(value: ast.AST) -> Iterator[ast.AST]:
    """The nodes of an expression, what is only asked for its shape or dtype left out."""
    stack = [value]
    while stack:
        node = stack.pop()
        asked = node.func if isinstance(node, ast.Call) else node
        if isinstance(asked, ast.Attribute) and asked.attr in FORM:
            continue
        yield node
        stack.extend(children(node))


def _chosen(
    call: Answer, names: frozenset[str], parts: tuple[Part, ...], function: Function
) -> ast.expr | None:
    """What the network of a call was chosen from; `x @ self.w[e]` and linear(x, self.w[e]) too."""
    if isinstance(call, ast.Call):
        found = _chosen_from(call.func, names, parts, function)
        if found is not None:
            return found
    for value in [call.left, call.right] if isinstance(call, ast.BinOp) else call.args:
        own = isinstance(value, ast.Subscript) and self_attribute(value.value)
        if own and isinstance(value, ast.Subscript) and _mentions(value.slice, names, function):
            return value.value
    return None


def _chosen_from(
    called: ast.expr, names: frozenset[str], parts: tuple[Part, ...], function: Function
) -> ast.expr | None:
    """What a called network was chosen from by the loop's names, or None for other calls."""
    if isinstance(called, ast.Name) and called.id in names:
        for part in parts:
            single = isinstance(part.target, ast.Name) and part.target.id == called.id
            if single and part.role is Role.ELEMENT:
                return part.value
        return None
    if isinstance(called, ast.Name) and called.id in picked_around(function):
        bound = (one.value for one in function.reaching(called) if one.role is Role.WHOLE)
        called = next((value for value in bound if isinstance(value, ast.Subscript)), called)
    if isinstance(called, ast.Subscript) and _mentions(called.slice, names, function):
        return called.value if root_name(called.value) is not None else None
    return None


def _mentions(index: ast.expr, names: frozenset[str], function: Function) -> bool:
    """Whether an index is a loop's name, or a number read by one: `idx[b, t, j]`."""
    for node in every_node(index):
        if isinstance(node, ast.Name):
            if node.id in names:
                return True
            for binding in function.reaching(node):
                made = binding.value if binding.role is Role.WHOLE else None
                if made is not None and any(
                    isinstance(one, ast.Name) and one.id in names for one in every_node(made)
                ):
                    return True
    return False
