"""States of a module that a call joins to what it is given, and leaves for the next call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, FunctionNode, self_attribute
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import Role, unpack
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements

# Methods and attributes of these names put a state back, or tell that it is there to be kept.
_RESETTING = re.compile(r"reset|clear|init_|setup|prepare|flush|new_|start|empty|begin|hidden")
# Those that set up weights are of no state.
_OF_WEIGHTS = re.compile(r"weight|param|module|layer|bias")
# What is still the same state: its values, or the newest of them.
_SAME = frozenset({"detach", "clone", "contiguous"})
_ASKING = frozenset({"hasattr", "len", "numel", "size", "dim", "self"})


@dataclass(frozen=True, eq=False, kw_only=True)
class Growth:
    """An attribute that is given what it held, joined with something new."""

    attribute: str
    joined: ast.Call
    statement: ast.Assign  # in which it becomes the attribute's value


def growth(joined: ast.Call, function: Function) -> Growth | None:
    """The attribute that grows by `torch.cat([self.NAME, ...])`, at every call alike.

    Under a condition that asks for more than whether the state is there, somebody chooses it: a
    cache that is switched on.
    """
    states = _joined_states(joined)
    if not states or not _at_every_call(joined, function, states):
        return None
    for statement in own_statements(function.node):
        if not isinstance(statement, ast.Assign):
            continue
        for target, value in _given(statement):
            name = self_attribute(target)
            if name in states and name and _is_from(value, joined, function):
                always = _at_every_call(statement, function, states)
                grown = Growth(attribute=name, joined=joined, statement=statement)
                return grown if always else None
    return None


def is_left_over(grown: Growth, function: Function, owner: ClassInfo, project: Project) -> bool:
    """Whether what is kept moves a call's result, and nothing but the constructor sets it."""
    if can_be_put_back(grown.attribute, function, owner, project):
        return False
    return not _is_set_anew(grown, function, owner) and _is_read(grown, function, owner)


def can_be_put_back(name: str, function: Function, owner: ClassInfo, project: Project) -> bool:
    """Whether a method of its class, or anyone else, promises to put a state back."""
    links = [owner, *project.bases(owner)]
    methods = {method for link in links for method in link.methods} - {"__init__"}
    if any(_RESETTING.search(method) and not _OF_WEIGHTS.search(method) for method in methods):
        return True
    name = re.escape(name)
    outside = re.compile(
        rf"(?<!self)\.{name}\s*=[^=]|\.{name}\.(zero_|clear|fill_)|[\"']{name}[\"']\s*,"
    )
    text = re.sub(r"register_buffer\([^)]*", "", function.module.text)
    return outside.search(text) is not None


def _joined_states(call: ast.Call) -> frozenset[str]:
    """The attributes of the module among what a call joins."""
    joined = call.args[0] if call.args else None
    parts = joined.elts if isinstance(joined, ast.List | ast.Tuple) else []
    return frozenset(name for name in map(self_attribute, parts) if name)


def _given(statement: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in statement.targets:
        for part in unpack(target, statement.value):
            if part.role is Role.WHOLE:
                yield part.target, part.value


def _is_from(value: ast.expr, joined: ast.Call, function: Function) -> bool:
    """Whether a value is what was joined, or the newest part of it."""
    while value is not joined:
        if isinstance(value, ast.Subscript):
            value = value.value
        elif isinstance(value, ast.IfExp):
            return any(_is_from(one, joined, function) for one in (value.body, value.orelse))
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr not in _SAME:
                return False
            value = value.func.value
        else:
            break
    if not isinstance(value, ast.Name):
        return value is joined
    bound = (one for one in function.reaching(value) if one.role is Role.WHOLE)
    made = (one.value for one in bound if one.value is not None)
    return any(one is not value and _holds(one, joined) for one in made)


def _holds(value: ast.expr, joined: ast.Call) -> bool:
    """Whether a local name's value is what was joined, in one of two cases."""
    return value is joined or (
        isinstance(value, ast.IfExp) and joined in (value.body, value.orelse)
    )


def _at_every_call(node: ast.AST, function: Function, states: frozenset[str]) -> bool:
    """Whether nothing but whether the states are there decides whether a node runs."""
    for statement, _ in function.statements_around(node):
        if isinstance(statement, ast.If):
            if not _asks_for(statement.test, states):
                return False
        elif isinstance(statement, ast.For | ast.While | ast.Try | ast.FunctionDef):
            return False
    chosen = (one for one in own_nodes(function.node) if isinstance(one, ast.IfExp))
    return all(_asks_for(one.test, states) for one in chosen if node in (one.body, one.orelse))


def _asks_for(test: ast.expr, states: frozenset[str]) -> bool:
    """`self.NAME is not None`, `hasattr(self, "NAME")`, `len(self.NAME)`."""
    words = {node.id for node in every_node(test) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in every_node(test) if isinstance(node, ast.Attribute)}
    texts = {
        node.value
        for node in every_node(test)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = (attributes - _ASKING) | texts
    return bool(named) and named <= states and words <= _ASKING


def _is_set_anew(grown: Growth, function: Function, owner: ClassInfo) -> bool:
    """Whether a method sets the state besides where it grows, or begins."""
    states = frozenset({grown.attribute})
    for name, method in owner.methods.items():
        if name == "__init__":
            continue
        for node in _places(method, grown.attribute):
            if isinstance(node.ctx, ast.Load) or _lies_in(node, grown.statement):
                continue
            around = function.statements_around(node) if method is function.node else []
            tests = [one.test for one, _ in around if isinstance(one, ast.If)]
            if not any(_asks_for(test, states) for test in tests):
                return True  # it is no first value, which is set where there was none
    return False


def _is_read(grown: Growth, function: Function, owner: ClassInfo) -> bool:
    """Whether something is computed from the state, besides itself."""
    own = {id(node) for part in _own_parts(grown, function) for node in every_node(part)}
    return any(
        isinstance(node.ctx, ast.Load) and id(node) not in own
        for method in owner.methods.values()
        for node in _places(method, grown.attribute)
    )


def _own_parts(grown: Growth, function: Function) -> Iterator[ast.AST]:
    """Where the state is only asked for, or read to grow."""
    yield grown.statement
    for statement in own_statements(function.node):
        if isinstance(statement, ast.If):
            yield statement.test
        elif isinstance(statement, ast.Assign) and _is_own(statement, grown, function):
            yield statement


def _is_own(statement: ast.Assign, grown: Growth, function: Function) -> bool:
    """Whether a statement joins for the state alone: its name is read where it is kept."""
    if not _holds(statement.value, grown.joined):
        return False
    names = [one.id for one in statement.targets if isinstance(one, ast.Name)]
    loads = [one for name in names for one in loads_of(function).get(name, [])]
    return all(_lies_in(one, grown.statement) for one in loads)


def _places(method: FunctionNode, attribute: str) -> Iterator[ast.Attribute]:
    for node in own_nodes(method):
        if isinstance(node, ast.Attribute) and self_attribute(node) == attribute:
            yield node


def _lies_in(node: ast.AST, statement: ast.stmt) -> bool:
    return any(one is node for one in every_node(statement))
