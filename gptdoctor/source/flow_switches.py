"""Where the text switches gradients off, and for how long."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from gptdoctor.source.classes import FunctionNode, self_attribute
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Position, Role, end, start
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import Names
from gptdoctor.source.statements import own_statements

SWITCHES = frozenset({"no_grad", "inference_mode", "set_grad_enabled"})


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One place that switches gradients off for a stretch of a function."""

    node: ast.AST  # the decorator, the with statement or the call
    operation: str  # one of SWITCHES
    form: str  # "decorator", "with", "statement"
    function: Function
    last: Position  # where the stretch ends


def may_switch(node: FunctionNode, names: Names, *, nested: bool) -> bool:
    """Whether some decorator is a switch, or a name that a function around this one may bind."""
    return any(
        gradient_switch(names.qualified(one.func if isinstance(one, ast.Call) else one))
        or (nested and isinstance(one, ast.Name))
        for one in node.decorator_list
    )


@kept(8)
def may_state_switch(module: SourceModule) -> bool:
    """Whether a file names the one switch that is a statement by itself: hardly any does."""
    return "set_grad_enabled" in module.text


def may_leave(node: FunctionNode, module: SourceModule) -> bool:
    """Whether anything that a function makes may leave it: as a result, or kept in `self`."""
    text = module.lines_of(node)
    return "yield" in text or any(map(_hands_out, own_statements(node)))


def _hands_out(statement: ast.AST) -> bool:
    if isinstance(statement, ast.Return):
        return statement.value is not None
    return isinstance(statement, ast.Assign) and any(map(self_attribute, statement.targets))


def decorator_switch(function: Function) -> Switch | None:
    """The decorator that switches gradients off in all of a function."""
    for decorator in function.node.decorator_list:
        # A plain name that is none of torch's is one that a function around this one binds; to
        # see that here is none keeps most functions' bindings from being collected.
        plain = isinstance(decorator, ast.Name) and function.outer is None
        qualified = function.module.names.qualified(decorator)
        if plain and gradient_switch(qualified) is None:
            continue
        operation = switched_off(decorator, function)
        if operation:
            last = end(function.node)
            return Switch(
                node=decorator, operation=operation, form="decorator", function=function, last=last
            )
    return None


def block_switch(node: ast.With | ast.AsyncWith, function: Function) -> Switch | None:
    """A with block that switches gradients off."""
    for item in node.items:
        operation = switched_off(item.context_expr, function)
        if operation:
            return Switch(
                node=node, operation=operation, form="with", function=function, last=end(node)
            )
    return None


def statement_switch(node: ast.Expr, function: Function) -> Switch | None:
    """`torch.set_grad_enabled(False)`: gradients are off until it is called again."""
    if switched_off(node.value, function) != "set_grad_enabled":
        return None
    names = function.module.names
    again = (
        start(other)
        for other in own_nodes(function.node)
        if isinstance(other, ast.Call) and gradient_switch(names.called(other)) is not None
    )
    last = min((place for place in again if place > end(node)), default=end(function.node))
    return Switch(
        node=node, operation="set_grad_enabled", form="statement", function=function, last=last
    )


def gradient_switch(qualified: str | None) -> str | None:
    """`no_grad` of "torch.no_grad": which switch of torch's a name is."""
    home, _, name = (qualified or "").rpartition(".")
    return name if name in SWITCHES and home.partition(".")[0] == "torch" else None


def switched_off(value: ast.expr, function: Function) -> str | None:
    """Which switch an expression turns, where it turns gradients off whatever the input."""
    if isinstance(value, ast.Name):
        found = function.reaching(value)
        single = found[0] if len(found) == 1 and found[0].role is Role.WHOLE else None
        value = single.value if single and single.value else value
    call = value if isinstance(value, ast.Call) else None
    operation = gradient_switch(function.module.names.qualified(call.func if call else value))
    if operation in (None, "no_grad"):
        return operation
    given = [*call.args, *(one.value for one in call.keywords)] if call else []
    # inference_mode(mode) and set_grad_enabled(mode) with a condition follow the condition.
    off = operation == "inference_mode"
    plain = all(isinstance(one, ast.Constant) and one.value is off for one in given)
    return operation if plain and (given or off) else None
