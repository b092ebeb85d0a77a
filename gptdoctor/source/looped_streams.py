"""Sublayers of a loop over blocks whose result takes the stream's place: `for attn, ff in layers`.

The body of the loop is read as the forward of a block is; what each name of the loop stands for is
looked for where the class makes the list.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_attributes import attributes_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, names_in
from gptdoctor.source.lost_residuals import Layer, carries, lone_replacement
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements
from gptdoctor.source.streams import Came, Reading, Value, adds, is_plain


def replaced_in_loops(project: Project, function: Function) -> Iterator[tuple[ast.Call, ast.Call]]:
    """The calls in loops whose results take the stream's place, each with one that is added."""
    owner = function.owner
    if owner is None or carries(owner):
        return
    for loop in own_statements(function.node):
        if not isinstance(loop, ast.For) or not adds(loop.body):
            continue
        if not all(map(is_plain, loop.body)):
            continue
        layers = frozenset(one.id for one in names_in(loop.target))
        for name in _carried(loop):
            reading = Reading({name: Value(Came.INPUT)}, layers)
            for statement in loop.body:
                reading.run(statement)
            found = lone_replacement(
                project, reading.names[name], function, _Maker(project, function)
            )
            if found is not None:
                yield found


def loops(node: ast.FunctionDef) -> bool:
    """Whether a function has a loop at its top, whatever is in it."""
    return ast.For in map(type, node.body)


def has_loop(node: ast.FunctionDef) -> bool:
    """Whether a function has a loop at its top whose body is a straight line that adds."""
    loops = (one for one in node.body if one.__class__ is ast.For and isinstance(one, ast.For))
    return any(all(map(is_plain, one.body)) and adds(one.body) for one in loops)


def _carried(loop: ast.For) -> list[str]:
    """The names that a turn of a loop gets from the one before, and sets anew."""
    read: list[str] = []
    written: set[str] = set()
    for statement in loop.body:
        names = [node for node in every_node(statement) if isinstance(node, ast.Name)]
        stored = [one.id for one in names if isinstance(one.ctx, ast.Store)]
        loaded = [one.id for one in names if isinstance(one.ctx, ast.Load)]
        loaded += stored if isinstance(statement, ast.AugAssign) else []
        read += [one for one in loaded if one not in written and one not in read]
        written.update(stored)
    return [name for name in read if name in written]


class _Maker:
    """Finds what a layer of a loop is made of."""

    def __init__(self, project: Project, function: Function) -> None:
        self.project = project
        self.function = function

    def __call__(self, called: ast.expr) -> Layer | None:
        """The layer that a called value is: `attn`, `block.attn`, `self.attns[i]`."""
        owner = self.function.owner
        if owner is None:
            return None
        attributes = attributes_of(self.project, owner)
        if isinstance(called, ast.Subscript) and (name := self_attribute(called.value)):
            return Layer(None, attributes.classes(name))
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            block = self(called.value)
            networks = block.networks if block is not None else frozenset()
            if len(networks) != 1:
                return None
            inner = attributes_of(self.project, next(iter(networks)))
            return Layer(None, inner.classes(called.attr))
        return self._by_name(called, owner) if isinstance(called, ast.Name) else None

    def _by_name(self, called: ast.Name, owner: ClassInfo) -> Layer | None:
        bound = self.function.reaching(called)
        one = bound[0] if len(bound) == 1 and bound[0].role is Role.ELEMENT else None
        name = self_attribute(one.value) if one is not None and one.value is not None else None
        if name is None:
            return None
        place, among = self._place(called, name)
        if among == 1:
            return Layer(None, attributes_of(self.project, owner).classes(name))
        made = _member(owner, name, place, among)
        if made is None:
            return None
        info = self.project.class_named(owner.module.names.called(made) or "", owner.module)
        return Layer(made, frozenset([info] if info is not None else []))

    def _place(self, called: ast.Name, name: str) -> tuple[int, int]:
        """Which one of how many names of a loop over one list a name is."""
        for loop in own_statements(self.function.node):
            targets = loop.target if isinstance(loop, ast.For) else None
            if isinstance(loop, ast.For) and self_attribute(loop.iter) == name:
                names = targets.elts if isinstance(targets, ast.Tuple | ast.List) else [targets]
                texts = [one.id if isinstance(one, ast.Name) else "" for one in names]
                if called.id in texts:
                    return texts.index(called.id), len(texts)
        return 0, 1


def _member(owner: ClassInfo, name: str, place: int, among: int) -> ast.Call | None:
    """What stands at a place of the lists that a list of the class holds."""
    found: list[ast.expr] = []
    for method in owner.methods.values():
        for statement in own_statements(method):
            value = _put_into(statement, name)
            if value is None:
                continue
            found += [
                node.elts[place]
                for node in every_node(value)
                if isinstance(node, ast.List | ast.Tuple)
                and len(node.elts) == among
                and all(isinstance(one, ast.Call) for one in node.elts)
            ]
    made = found[0] if len(found) == 1 else None
    return made if isinstance(made, ast.Call) else None


def _put_into(statement: ast.AST, name: str) -> ast.expr | None:
    """What `self.NAME = value` and `self.NAME.append(value)` put there."""
    if isinstance(statement, ast.Assign) and self_attribute(statement.targets[0]) == name:
        return statement.value
    call = statement.value if isinstance(statement, ast.Expr) else None
    method = call.func if isinstance(call, ast.Call) else None
    if isinstance(method, ast.Attribute) and self_attribute(method.value) == name:
        return call
    return None
