"""Loops that hand a network a text which grows with each turn: `ids = torch.cat([ids, token], 1)`.

Only what never shortens the text and never asks how long it is, nor for what the network reads.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, parameters, self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_calls import networks_at
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, end, start
from gptdoctor.source.literals import takes_all, written_text
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to

LAST_AXES = ("1", "-1")  # of ids [B, T]
# With one of these, a network is given the newest token alone, and not the text.
CACHED = re.compile(r"cache|past|start|pos|kv|state|memory_key|incremental|offset")
# What a length that a network reads goes by, where it does not come from the caller.
LIMIT = re.compile(
    r"(block|context|ctx|max|window|seq|position).*(size|len|length|ctx|window|pos|limit|tokens)"
    r"|n_?(ctx|positions)|max_?(t|seq|position\w*)|ctx|context|block_?size|num_embeddings|limit",
    re.IGNORECASE,
)
SIZES = frozenset({"size", "shape", "device", "dtype"})
COUNTING = frozenset({"range", "tqdm", "trange", "len", "size", "int"})


@dataclass(frozen=True, eq=False, kw_only=True)
class Growth:
    """A loop that joins tokens to a text, and the call of a network that reads all of it."""

    text: str
    loop: ast.For | ast.While
    call: ast.Call
    number: int  # which argument of the call the text is
    cut: (
        ast.Attribute | ast.Name | None
    )  # what the call keeps of the text's beginning: `ids[:, :N]` has N
    rows: ast.Attribute | ast.Name | None = None  # N of `ids[-N:]`, which are rows of ids [B, T]


def growth_at(joined: ast.Call, statement: ast.AST, function: Function) -> Growth | None:
    """The loop around `ids = torch.cat([ids, token], dim=1)` that a network reads `ids` in."""
    text = _grown(joined, statement)
    loop = _loop_around(statement, function) if text else None
    if text is None or loop is None or _changed_otherwise(text, joined, loop, function):
        return None
    if not _left_to_the_caller(loop, text, function):
        return None
    for call in own_nodes(loop):
        if isinstance(call, ast.Call) and not _goes_on(call):
            for number, given in enumerate(call.args):
                argument = _named(given, loop, function)
                cut = _beginning(argument)
                rows = _last_rows(argument) if _has_rows(joined) else None
                whole = not cut and not rows
                read = argument if whole else getattr(argument, "value", argument)
                if _is_text(read, text, function):
                    return Growth(
                        text=text, loop=loop, call=call, number=number, cut=cut, rows=rows
                    )
    return None


def _named(value: ast.expr, loop: ast.For | ast.While, function: Function) -> ast.expr:
    """What a name is given in the loop, if that is a part of something: `seen = ids[:, :N]`.

    Of `ids if short else ids[:, :N]` the part, for it is what a long text becomes.
    """
    bound = bound_to(value, function) if isinstance(value, ast.Name) else None
    if bound is not None and start(loop) <= start(bound):
        value = bound if isinstance(bound, ast.Subscript | ast.IfExp) else value
    if isinstance(value, ast.IfExp):
        parts = [one for one in (value.body, value.orelse) if _beginning(one) is not None]
        return parts[0] if len(parts) == 1 else value
    return value


def _grown(joined: ast.Call, statement: ast.AST) -> str | None:
    """The name that is given itself with something joined to its end."""
    parts = joined.args[0] if joined.args else None
    if not isinstance(parts, ast.List | ast.Tuple) or len(parts.elts) < 2:
        return None
    first = parts.elts[0]
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(first, ast.Name) or not isinstance(target, ast.Name):
        return None
    if first.id != target.id:
        return None  # as most
    named = [one.value for one in joined.keywords if one.arg in ("dim", "axis")]
    axes = [ast.unparse(one) for one in (*joined.args[1:2], *named)]
    along = called_name(joined) == "hstack" or any(one in LAST_AXES for one in axes)
    return first.id if along else None


def _loop_around(statement: ast.AST, function: Function) -> ast.For | ast.While | None:
    around = [one for one, _ in function.statements_around(statement)]
    loops = [one for one in around if isinstance(one, ast.For | ast.While)]
    return loops[-1] if loops else None


def _changed_otherwise(
    text: str, joined: ast.Call, loop: ast.For | ast.While, function: Function
) -> bool:
    """Whether the text is also set in the loop by something that may shorten it."""
    return any(
        one.value is not joined and start(loop) <= one.since <= end(loop)
        for one in function.bindings.by_name.get(text, [])
    )


def _goes_on(call: ast.Call) -> bool:
    """Whether a call is given what was computed before, or where the tokens stand."""
    return any(one.arg is None or CACHED.search(one.arg) for one in call.keywords) or any(
        isinstance(one, ast.Starred) or CACHED.search(ast.unparse(one)) for one in call.args
    )


def _beginning(argument: ast.expr) -> ast.Attribute | ast.Name | None:
    """N of `ids[:, :N]`, such as `self.block_size`."""
    index = argument.slice if isinstance(argument, ast.Subscript) else None
    if not isinstance(index, ast.Tuple) or len(index.elts) != 2:
        return None
    rows, tokens = index.elts
    if not takes_all(rows) or not isinstance(tokens, ast.Slice) or tokens.lower is not None:
        return None
    return tokens.upper if isinstance(tokens.upper, ast.Attribute | ast.Name) else None


def _has_rows(joined: ast.Call) -> bool:
    """Whether what is joined has a dimension before that of its tokens."""
    named = [one.value for one in joined.keywords if one.arg in ("dim", "axis")]
    return [ast.unparse(one) for one in (*joined.args[1:2], *named)] == ["1"]


def _last_rows(argument: ast.expr) -> ast.Attribute | ast.Name | None:
    """N of `ids[-N:]`, a single index."""
    index = argument.slice if isinstance(argument, ast.Subscript) else None
    below = index.lower if isinstance(index, ast.Slice) and index.upper is None else None
    if not isinstance(below, ast.UnaryOp) or not isinstance(below.op, ast.USub):
        return None
    return below.operand if isinstance(below.operand, ast.Attribute | ast.Name) else None


def _is_text(value: ast.expr, text: str, function: Function) -> bool:
    """Whether a value is the text as it grew, under its name or another."""
    if not isinstance(value, ast.Name):
        return False
    if value.id == text:
        return True
    bindings = function.reaching(value, carried=True)
    return bool(bindings) and all(
        one.role is Role.WHOLE and isinstance(one.value, ast.Name) and one.value.id == text
        for one in bindings
    )


def networks_called(project: Project, growth: Growth, function: Function) -> frozenset[ClassInfo]:
    """The project's networks that read the text: `self`, one that it holds, one of a known type."""
    called = growth.call.func
    if isinstance(called, ast.Attribute) and called.attr == "forward":
        called = called.value
    if isinstance(called, ast.Name) and called.id == "self" and function.owner is not None:
        return frozenset({function.owner})
    if isinstance(called, ast.Name):
        for given in parameters(function.node):
            if given.arg == called.id and given.annotation is not None:
                return _annotated(project, given.annotation, function)
    return networks_at(project, called, function) or _given_to_class(project, called, function)


def _given_to_class(project: Project, called: ast.expr, function: Function) -> frozenset[ClassInfo]:
    """The network that the constructor is given by a type: `self.model = model.eval()`."""
    own, owner = self_attribute(called), function.owner
    maker = owner.methods.get("__init__") if owner is not None else None
    values = owner.attributes.get(own, []) if own is not None and owner is not None else []
    value = values[0] if len(values) == 1 else None
    if isinstance(value, ast.Call) and called_name(value) in ("eval", "to", "cuda"):
        value = value.func.value if isinstance(value.func, ast.Attribute) else None
    for given in parameters(maker) if maker is not None and isinstance(value, ast.Name) else ():
        if isinstance(value, ast.Name) and given.arg == value.id and given.annotation is not None:
            return _annotated(project, given.annotation, function)
    return frozenset()


def _annotated(project: Project, kind: ast.expr, function: Function) -> frozenset[ClassInfo]:
    name = written_text(kind) or function.module.names.qualified(kind)
    info = project.class_named(name, function.module) if name else None
    return frozenset() if info is None else frozenset({info})


def is_bounded(growth: Growth, function: Function, size: frozenset[str]) -> bool:
    """Whether the function asks how far it may go: by a test of the length, or a limit's name."""
    given = {one.arg for one in parameters(function.node)}
    nodes = list(own_nodes(function.node))
    tests = [one.test for one in nodes if isinstance(one, ast.If | ast.IfExp | ast.Assert)]
    limited = (
        name in size or (name not in given and LIMIT.fullmatch(name)) for name in _said(nodes)
    )
    return any(limited) or any(_asks_length(one, growth.text) for one in tests)


def _said(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _asks_length(test: ast.expr, text: str) -> bool:
    """Whether a test asks how long the text is."""
    names = {one.id for one in every_node(test) if isinstance(one, ast.Name)}
    sized = {one for one in _said(list(every_node(test))) if one in ("size", "shape", "len")}
    return text in names and bool(sized)


def _left_to_the_caller(loop: ast.For | ast.While, text: str, function: Function) -> bool:
    """Whether a loop's end comes of the function's arguments, and of nothing else."""
    until = loop.iter if isinstance(loop, ast.For) else loop.test
    counted = isinstance(loop, ast.While) or any(
        called_name(one) in ("range", "trange") for one in every_node(until)
    )
    return counted and _roots(until, text, function, frozenset()) == {"argument"}


def _roots(
    value: ast.expr, text: str, function: Function, seen: frozenset[Binding]
) -> frozenset[str]:
    """What a number is made of, arguments or other things; numbers and lengths are neither."""
    found: set[str] = set()
    for node in every_node(value):
        known = not isinstance(node, ast.Call) or called_name(node) in COUNTING
        if not known or (isinstance(node, ast.Attribute) and node.attr not in SIZES):
            found.add("other")
        if isinstance(node, ast.Name) and node.id not in (text, *COUNTING):
            for one in function.reaching(node, carried=True):
                if one.role is Role.ARGUMENT:
                    found.add("argument")
                elif one.role not in (Role.WHOLE, Role.CHANGED) or one.value is None:
                    found.add("other")
                elif one not in seen:
                    found |= _roots(one.value, text, function, seen | {one})
    return frozenset(found)
