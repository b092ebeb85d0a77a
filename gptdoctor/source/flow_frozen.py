"""Which attributes of a network are kept from learning, and how that is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node

# Names that state a role: what is called so is kept from learning on purpose.
FROZEN_NAME = re.compile(
    r"(^|_)(teacher|ema|shadow|frozen|freeze|momentum|reference|ref|old|target)(_|$)"
)
# Methods that set a network up. A switch elsewhere, such as `self.eval()` before generating, holds
# for a while only.
SETTING_UP = re.compile(r"^(__init__|train)$|freez|init|build|setup|load")

# Words of which one stands in all code that switches anything off.
FREEZING = ("freez", "requires_grad", "eval")


def frozen_by(node: ast.AST) -> Iterator[str]:
    """The attributes that a statement keeps from learning."""
    if isinstance(node, ast.Call):
        if switches_off(node) and isinstance(node.func, ast.Attribute):
            whole = (
                node.func.attr == "requires_grad_"
            )  # `self.eval()` switches nothing off for good
            yield from (name for name in _own_root(node.func.value) if name or whole)
        name = called_name(node)
        if "freez" in name or name == "set_requires_grad":
            for argument in node.args:
                yield from _own_root(argument)
    elif isinstance(node, ast.For) and any(_disables(one) for one in node.body):
        for call in every_node(node.iter):
            if isinstance(call, ast.Call) and called_name(call) in (
                "parameters",
                "named_parameters",
            ):
                yield from _own_root(call.func)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            own = self_attribute(target)
            if own and isinstance(node.value, ast.Call) and switches_off(node.value):
                yield own


def _own_root(node: ast.expr) -> Iterator[str]:
    """`encoder` of `self.encoder.layers.parameters`; "" of `self.parameters`."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Attribute):
            chain.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name) and node.id == "self":
        whole = not chain or chain[-1] in ("parameters", "named_parameters")
        yield "" if whole else chain[-1]


def switches_off(call: ast.Call) -> bool:
    """`module.requires_grad_(False)` and `module.eval()`."""
    if called_name(call) == "requires_grad_":
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        return any(isinstance(one, ast.Constant) and one.value is False for one in values)
    return called_name(call) == "eval" and not call.args and isinstance(call.func, ast.Attribute)


def _disables(statement: ast.stmt) -> bool:
    """`p.requires_grad = False` and `p.requires_grad_(False)`."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return called_name(statement.value) == "requires_grad_" and switches_off(statement.value)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Constant):
        return False
    target = statement.targets[0]
    named = isinstance(target, ast.Attribute) and target.attr == "requires_grad"
    return named and statement.value.value is False
