"""Calls that run a model: of the class itself, of one that was given or is kept, or by a helper."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.classes import FunctionNode, parameter_names, self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, start
from gptdoctor.source.nodes import calls_below

# Attributes that hold a model which somebody else made: `self.model = model`.
MODEL = re.compile(
    r"(^|_)(model|net|network|lm|llm|gpt\d?|decoder|transformer|backbone|policy)(_|$)",
    re.IGNORECASE,
)


def runs_model(call: ast.Call, function: Function) -> bool:
    """self(x), self.forward(x), the same of a model that the caller gave or that is kept."""
    return is_model(call.func, function) or _runs_inside(call, function)


def is_model(called: ast.expr, function: Function) -> bool:
    """Whether what is called is a model: the object itself, an argument, a part or a kept one."""
    if isinstance(called, ast.Attribute) and called.attr == "forward":
        called = called.value
    if self_attribute(called):
        return _keeps_model(self_attribute(called) or "", function)
    if not isinstance(called, ast.Name):
        return False
    if called.id == "self":
        return True
    bindings = function.bindings.reaching(called.id, start(called))
    return bool(bindings) and all(
        one.role is Role.ARGUMENT or (one.value is not None and _is_same(one.value, called.id))
        for one in bindings
    )


def _is_same(value: ast.expr, name: str) -> bool:
    """Whether a name is bound to itself again: `model = model.eval()`."""
    method = value.func if isinstance(value, ast.Call) else None
    known = isinstance(method, ast.Attribute) and method.attr in ("eval", "train", "to", "cuda")
    receiver = method.value if known and isinstance(method, ast.Attribute) else None
    return isinstance(receiver, ast.Name) and receiver.id == name


def _keeps_model(name: str, function: Function) -> bool:
    """Whether an attribute is a layer of torch's, or is called as a model is."""
    owner = function.owner
    if owner is None or name in owner.methods:
        return False
    called = function.module.names.called
    return MODEL.search(name) is not None or any(
        (called(one) or "").startswith("torch.nn.") for one in owner.attributes.get(name, ())
    )


def _runs_inside(call: ast.Call, function: Function) -> bool:
    """Whether a helper calls what it is given, or a model of the class."""
    helper = helper_called(call, function)
    if helper is None:
        return False
    given = parameter_names(helper)
    for inner in calls_below(helper):
        called = inner.func
        if isinstance(called, ast.Name) and called.id in (*given, "self"):
            return True
        if self_attribute(called) and _keeps_model(self_attribute(called) or "", function):
            return True
    return False


def helper_called(call: ast.Call, function: Function) -> FunctionNode | None:
    """The function of the same file, or method of the same class, that a call runs."""
    called = call.func
    if isinstance(called, ast.Name):
        helper = function.module.functions.get(called.id)
        return None if helper and called.id in function.bindings.by_name else helper
    own = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
    if not own or function.owner is None or not isinstance(called, ast.Attribute):
        return None
    receivers = ("self", "cls", function.owner.name)
    known = isinstance(called.value, ast.Name) and called.value.id in receivers
    return function.owner.methods.get(called.attr) if known else None
