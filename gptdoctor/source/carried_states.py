"""States of a module that a forward reads and then sets from its input, for the next call to read.

`out, self.hidden = self.rnn(x, self.hidden)`; running statistics that are moved in evaluation too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, self_attribute
from gptdoctor.source.flow_functions import Function, functions_of, loads_of, own_nodes
from gptdoctor.source.flow_targets import Position, end, names_in, start
from gptdoctor.source.grown_states import can_be_put_back
from gptdoctor.source.made_of_input import is_made_of_input
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.statements import own_statements
from gptdoctor.source.written_attributes import moved, reads_in, written_by

_MODE = re.compile(
    r"train|eval|grad|update|frozen|freez|calibr|record|track|cache|stream|stateful|\bmode\b|infer"
    r"|increment"
)
# Classes that are asked while a model is trained alone, or that measure and do not model.
_ELSE = re.compile(
    r"loss|penalt|regulari|criteri|metric|meter|track|stat(e_?ful|istic)|stream|online|cache", re.I
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Carried:
    """An attribute that a call leaves behind for the next one."""

    attribute: str
    node: ast.stmt  # in forward


def carried_states(project: Project, function: Function) -> Iterator[Carried]:
    """What a forward leaves behind that the next call of it reads, and nothing puts back."""
    owner = function.owner
    if owner is None or _ELSE.search(owner.name):
        return
    told: set[str] = set()
    for name, node in _writes(project, function, owner):
        if name not in told and _stays(name, function, owner, project):
            told.add(name)
            yield Carried(attribute=name, node=node)


def _stays(name: str, function: Function, owner: ClassInfo, project: Project) -> bool:
    """Whether nothing puts a state back: no method of that kind, and no other that sets it."""
    if can_be_put_back(name, function, owner, project):
        return False
    for method, node in owner.methods.items():
        if method in ("__init__", function.name) or f"self.{name}" not in function.module.text:
            continue
        if any(
            isinstance(one, ast.Attribute)
            and self_attribute(one) == name
            and isinstance(one.ctx, ast.Store)
            and not _is_helper(node, function)
            for one in own_nodes(node)
        ):
            return False
    return True


def _is_helper(method: ast.AST, function: Function) -> bool:
    """Whether a forward calls a method of its class."""
    return f"self.{getattr(method, 'name', '')}(" in function.text


def _writes(
    project: Project, function: Function, owner: ClassInfo
) -> Iterator[tuple[str, ast.stmt]]:
    """The attributes that a forward sets at each call, itself or by a method of its class."""
    for statement in own_statements(function.node):
        if not isinstance(statement, ast.stmt):
            continue
        for name in written_by(statement, function):
            if _is_carried(name, statement, function) and _always(statement, name, function):
                yield name, statement
        helper = _helper(project, statement, owner, function)
        if helper is not None and _always(statement, "", function):
            yield from ((name, statement) for name in _left_by(helper, function))


def _left_by(helper: Function, function: Function) -> Iterator[str]:
    """The attributes that a method leaves, of those that a forward reads."""
    statements = [one for one in own_statements(helper.node) if isinstance(one, ast.stmt)]
    if any(isinstance(one, ast.Return) for one in statements):
        return  # it may end before it sets anything
    for inner in statements:
        for name in written_by(inner, helper):
            moves = not isinstance(inner, ast.Assign) or name in reads_in(inner)
            if moves and _reads_of(name, function.node) and _always(inner, name, helper):
                yield name


def _helper(
    project: Project, statement: ast.stmt, owner: ClassInfo, function: Function
) -> Function | None:
    """The method of `self.observe(x)`, which stands by itself."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    name = self_attribute(call.func) if isinstance(call, ast.Call) else None
    if name is None or name not in owner.methods or _MODE.search(name.replace("update", "")):
        return None
    if not isinstance(call, ast.Call) or not any(
        is_made_of_input(one, function) for one in call.args
    ):
        return None
    return functions_of(project, owner.module).get(owner.methods[name])


def _is_carried(name: str, statement: ast.stmt, function: Function) -> bool:
    """Whether what the last call left there has a part in what this one gives."""
    reads = [
        one
        for one in _reads_of(name, function.node)
        if not _is_for_itself(one, statement, function)
    ]
    if not reads or _is_begun_anew(name, min(map(start, reads)), function):
        return False
    before = [one for one in reads if end(one) <= start(statement)]
    within = [one for one in reads if start(statement) <= start(one) <= end(statement)]
    after = [one for one in reads if start(one) > end(statement)]
    if not isinstance(statement, ast.Assign):
        return bool(before or after)
    if isinstance(statement.targets[0], ast.Subscript):
        return bool(before)  # what is written there is read again by this very call
    several = isinstance(statement.targets[0], ast.Tuple)
    return bool(before) or bool(within and (several or after))


def _is_for_itself(read: ast.expr, kept: ast.stmt, function: Function) -> bool:
    """Whether a read makes nothing but what is kept: `seen = cat([self.past, x])`, and no more."""
    around = function.statements_around(read)
    statement = around[-1][0] if around else None
    if not isinstance(statement, ast.Assign) or statement is kept:
        return False
    names = [one.id for target in statement.targets for one in names_in(target)]
    loads = [load for name in names for load in loads_of(function).get(name, ())]
    return bool(names) and all(start(kept) <= start(one) <= end(kept) for one in loads)


def _is_begun_anew(name: str, first: Position, function: Function) -> bool:
    """Whether a call sets an attribute before it reads it, or can be asked to."""
    for statement in own_statements(function.node):
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if name not in map(self_attribute, targets):
            continue
        tests = [
            one.test for one, _ in function.statements_around(statement) if isinstance(one, ast.If)
        ]
        if any(name not in ast.unparse(test) for test in tests):
            return True
        if not tests and end(statement) <= first:
            return True
    return False


def _reads_of(name: str, node: ast.AST) -> list[ast.Attribute]:
    """Where an attribute is read for more than to ask whether it is there."""
    asked = {
        id(inner) for one in own_nodes(node) for test in _tests(one) for inner in every_node(test)
    }
    stored = {
        id(one.value)
        for one in own_nodes(node)
        if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store)
    }
    return [
        one
        for one in own_nodes(node)
        if isinstance(one, ast.Attribute)
        and self_attribute(one) == name
        and isinstance(one.ctx, ast.Load)
        and id(one) not in asked
        and id(one) not in stored
        and not _onlymoved(one, node)
    ]


def _tests(node: ast.AST) -> list[ast.expr]:
    return [node.test] if isinstance(node, ast.If | ast.IfExp | ast.Assert) else []


def _onlymoved(read: ast.Attribute, node: ast.AST) -> bool:
    """Whether a read is the receiver of what moves it in place."""
    return any(
        isinstance(one, ast.Expr)
        and isinstance(one.value, ast.Call)
        and moved(one.value) == read.attr
        and start(one) == start(read)
        for one in own_nodes(node)
    )


def _always(statement: ast.stmt, name: str, function: Function) -> bool:
    """Whether a statement runs in every call, but perhaps the first, whatever the mode is."""
    for around, before in function.statements_around(statement):
        chosen = isinstance(around, ast.If) and not _is_there(around, name, statement)
        if around is not statement and (chosen or isinstance(around, ast.While | ast.Try)):
            return False
        if any(isinstance(one, ast.If) and _leaves_by_mode(one) for one in before):
            return False
    return True


def _leaves_by_mode(branch: ast.If) -> bool:
    """`if not self.training: return x`."""
    leaves = any(isinstance(one, ast.Return | ast.Raise) for one in own_statements(branch))
    return leaves and _MODE.search(ast.unparse(branch.test)) is not None


def _is_there(branch: ast.If, name: str, statement: ast.stmt) -> bool:
    """Whether a statement is run where `self.NAME` holds something by then.

    One that sets it where it held nothing sets it once, as a first value.
    """
    test = branch.test
    if not isinstance(test, ast.Compare) or not name or self_attribute(test.left) != name:
        return False
    first, last = branch.body[0], branch.body[-1]
    inside = start(first) <= start(statement) <= end(last)
    return isinstance(test.ops[0], ast.IsNot if inside else ast.Is)
