"""Functions that generate: a loop that runs a model, takes a token and joins it to the text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gptdoctor.core.findings import Location
from gptdoctor.source.classes import parameters
from gptdoctor.source.draws import draw_at
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, end, start
from gptdoctor.source.kept import kept
from gptdoctor.source.nodes import every_node
from gptdoctor.source.statements import own_statements
from gptdoctor.source.temperature import last_name
from gptdoctor.source.token_choice import JOINING
from gptdoctor.source.value_ways import operation

CHOOSING = ("multinomial", "Categorical", "argmax")  # names of what takes a token
# What turns gradients off, or the whole function into something else.
WITHOUT_GRADIENTS = re.compile(r"no_grad|inference_mode|set_grad_enabled|stop_gradient")
PLAIN_DECORATORS = frozenset({"staticmethod", "classmethod", "typechecked", "override"})
MOST = 60  # bindings between a token and the model that it comes from


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One token, taken in a loop of what a model says."""

    choice: ast.Call
    loop: ast.For | ast.While
    forward: ast.Call


_LOOPS = ast.For, ast.While


@kept(16)
def steps_in(function: Function) -> tuple[Step, ...]:
    """The tokens that a function takes, one after the other."""
    found: list[Step] = []
    if not any(isinstance(one, _LOOPS) for one in own_statements(function.node)):
        return ()  # most functions, as their statements alone tell
    for loop in own_nodes(function.node):
        if isinstance(loop, ast.For | ast.While) and _joins(loop):
            for choice in own_nodes(loop):
                step = _step(choice, loop, function) if isinstance(choice, ast.Call) else None
                if step is not None:
                    found.append(step)
    return tuple(found)


def _joins(loop: ast.For | ast.While) -> bool:
    """Whether something is put into a sequence in a loop."""
    return any(
        isinstance(node, ast.Call) and last_name(node.func) in JOINING for node in own_nodes(loop)
    )


def _step(choice: ast.Call, loop: ast.For | ast.While, function: Function) -> Step | None:
    if last_name(choice.func) not in CHOOSING:
        return None
    draw, made = draw_at(choice, function), operation(choice, function)
    given = draw.given if draw is not None else made[1] if made is not None else None
    forward = None if given is None else forward_behind(given, loop, function)
    return None if forward is None else Step(choice=choice, loop=loop, forward=forward)


def forward_behind(
    value: ast.expr, loop: ast.For | ast.While, function: Function
) -> ast.Call | None:
    """The call of a model that a value is made of, if it is made anew in each turn of a loop."""
    for call in _calls_behind(value, function):
        if start(loop) <= start(call) <= end(loop) and _runs_model(call, function):
            return call
    return None


def _calls_behind(value: ast.expr, function: Function) -> Iterator[ast.Call]:
    """The calls that a value is made of, names followed."""
    seen: set[Binding] = set()
    queue: list[ast.expr] = [value]
    while queue and len(seen) < MOST:
        for node in every_node(queue.pop()):
            if isinstance(node, ast.Call):
                yield node
            elif isinstance(node, ast.Name):
                for binding in function.reaching(node):
                    if binding not in seen and binding.value is not None:
                        seen.add(binding)
                        queue.append(binding.value)


def _runs_model(call: ast.Call, function: Function) -> bool:
    """self(x), self.forward(x), and the same of a model that the caller gave."""
    called = call.func
    if isinstance(called, ast.Attribute) and called.attr == "forward":
        called = called.value
    if not isinstance(called, ast.Name):
        return False
    if called.id == "self":
        return True
    bindings = function.bindings.reaching(called.id, start(called))
    return bool(bindings) and all(one.role is Role.ARGUMENT for one in bindings)


def never_read(
    function: Function, pattern: re.Pattern[str], *, asked: bool = False
) -> list[ast.arg]:
    """The parameters of such names that the function never reads, not in one inside it either.

    With `asked`, also those that are only compared with something: `temperature == 0`.
    """
    given = [one for one in parameters(function.node) if pattern.search(one.arg)]
    if not given:
        return []
    read: set[str] = set()
    compared: set[str] = set()
    for parent in every_node(function.node):
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                (compared if isinstance(parent, ast.Compare) else read).add(node.id)
    if read & {"locals", "vars", "eval", "exec", "NotImplementedError"}:
        return []
    used = read if asked else read | compared
    return [one for one in given if one.arg not in used]


def switched_off(function: Function) -> bool:
    """Whether gradients are off in a function, or may be: by a decorator, a block, a switch."""
    names = [ast.unparse(one) for one in function.node.decorator_list]
    if any(name.rpartition(".")[2] not in PLAIN_DECORATORS for name in names):
        return True
    first, last = function.node.lineno, function.node.end_lineno
    text = "\n".join(function.module.lines[first - 1 : last])
    return WITHOUT_GRADIENTS.search(text) is not None


def header(function: Function) -> Location:
    """The line on which a function's definition begins."""
    whole = function.module.location(function.node)
    first = function.module.lines[whole.line - 1]
    return replace(whole, end_line=whole.line, end_column=len(first) + 1)
