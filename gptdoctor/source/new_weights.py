"""Statements that give a model weights that it did not have before."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, text_of, unpack
from gptdoctor.source.known_networks import method_of, network_at
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import calls_below
from gptdoctor.source.project import Project
from gptdoctor.source.statements import SCOPES, bodies_of
from gptdoctor.source.value_ways import keyword

# Layers with weights of their own.
WEIGHTS = re.compile(
    r"^torch\.nn\.(Lazy)?(Linear|Bilinear|Conv\w+|Embedding\w*|LayerNorm|RMSNorm|GroupNorm"
    r"|BatchNorm\w+|LSTM|GRU|RNN|\w+Cell|MultiheadAttention|Transformer\w*|Parameter|PReLU)$"
)
# These have the weights of what is put into them.
CONTAINERS = re.compile(r"^torch\.nn\.(Sequential|ModuleList|ModuleDict)$")
RESIZES = frozenset(["resize_token_embeddings", "resize_position_embeddings", "add_adapter"])
_ADDS = frozenset({"add_module", "register_module", "register_parameter", "append", "extend"})
_VALUE = 2  # the place of the value in setattr(owner, name, value)
# These put adapters into the model that they are given.
_ADAPTS = frozenset({"get_peft_model", "inject_adapter_in_model"})
# A weight becomes two others, its length and its direction.
_PARTED = frozenset({"torch.nn.utils.weight_norm", "torch.nn.utils.parametrizations.weight_norm"})
# Networks beside the one that is trained: averages of it, what it is compared with.
_NOT_TRAINED = re.compile(
    r"(^|_)(ema|target|teacher|best|swa|avg|old|frozen|ref)(_|$)", re.IGNORECASE
)
_MOVING = frozenset({"to", "cuda", "cpu", "float", "half", "double", "train", "eval"})


def inner_statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    """A statement and those in its blocks, in the order of the text."""
    yield statement
    if statement.__class__ not in SCOPES:
        for body in bodies_of(statement):
            for one in body:
                yield from inner_statements(one)


def change_of(statement: ast.stmt, model: str, function: Function, project: Project) -> str:
    """What a statement adds to the model of a name, in words; "" for nothing."""
    told = _added(statement, model, function, project)
    value = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
    if told or not isinstance(value, ast.Call):
        return told
    return _by_library(value, model, function) or _by_function(value, model, function, project)


def _added(statement: ast.stmt, model: str, function: Function, project: Project) -> str:
    """The same of what the statement says by itself."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return _by_call(statement.value, model, function, project)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return ""
    for part in unpack(statement.targets[0], statement.value):
        if not brings_weights(part.value, function, project):
            continue
        name = text_of(part.target)
        if _NOT_TRAINED.search(name.rpartition(".")[2]):
            continue
        kept = isinstance(part.target, ast.Attribute | ast.Subscript)
        if kept and _is_part(part.target, model, function):
            return f"the new weights of `{name}`"
        stacked = CONTAINERS.match(function.module.names.called(part.value) or "")
        if name == model and (stacked or model not in re.findall(r"[\w.]+", text_of(part.value))):
            return f"the weights of the new `{model}`"
    return ""


def _is_part(value: ast.expr, model: str, function: Function) -> bool:
    """Whether a value is a part of a model: `model.head`, or a layer of a loop over its layers."""
    if text_of(value).startswith((f"{model}.", f"{model}[")):
        return True
    root = value
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if not isinstance(root, ast.Name) or root.id in ("self", model):
        return False
    looped = [one for one in function.reaching(root) if one.role is not Role.CHANGED]
    return bool(looped) and all(
        one.role is Role.ELEMENT
        and one.value is not None
        and text_of(one.value).startswith(f"{model}.")
        for one in looped
    )


def _by_call(call: ast.Call, model: str, function: Function, project: Project) -> str:
    """What `model.layers.append(...)`, `setattr(model, ...)` or a resize adds."""
    func, name = call.func, called_name(call)
    if isinstance(func, ast.Name) and name == "setattr" and len(call.args) > _VALUE:
        owner = call.args[0]
        adds = text_of(owner) == model or _is_part(owner, model, function)
        brings = adds and brings_weights(call.args[_VALUE], function, project)
        return f"the new weights of `{text_of(call)}`" if brings else ""
    if not isinstance(func, ast.Attribute):
        return ""
    receiver = text_of(func.value)
    if name in RESIZES:
        replaces = receiver == model
        return f"the weights that `{text_of(call)}` puts in their place" if replaces else ""
    if name in _ADDS and (receiver == model or receiver.startswith(f"{model}.")):
        brings = any(brings_weights(one, function, project) for one in call.args)
        return f"the new weights of `{text_of(call)}`" if brings else ""
    return ""


def _by_library(call: ast.Call, model: str, function: Function) -> str:
    """What functions of libraries add to the model, or to the part of it, that they are given."""
    given = text_of(call.args[0]) if call.args else ""
    own = given == model or given.startswith(f"{model}.")
    known = called_name(call) in _ADAPTS or (function.module.names.called(call) or "") in _PARTED
    return f"the weights that `{text_of(call)}` makes" if own and known else ""


def _by_function(call: ast.Call, model: str, function: Function, project: Project) -> str:
    """What a function in sight, or a method of the model, adds to it."""
    func = call.func
    if isinstance(func, ast.Attribute) and text_of(func.value) == model:
        return _by_method(call, func, model, function, project)
    callee = callee_of(project, function, call) if isinstance(func, ast.Name) else None
    names = () if callee is None else callee.parameter_names
    for name, given in zip(names, call.args, strict=False):
        if callee is not None and text_of(given) == model and _all_added(callee, name, project):
            return f"the weights that `{text_of(call)}` makes"
    return ""


def _all_added(callee: Function, name: str, project: Project) -> bool:
    """Whether a function gives new weights to what it knows by a name."""
    return any(
        _added(one, name, callee, project)
        for statement in callee.node.body
        for one in inner_statements(statement)
    )


def _by_method(
    call: ast.Call, func: ast.Attribute, model: str, function: Function, project: Project
) -> str:
    info = network_at(func.value, function, project)
    method = None if info is None else method_of(info, func.attr, project)
    if method is None or model == "self":  # a method of self's is looked at by itself
        return ""
    adds = _all_added(method, "self", project)
    return f"the weights that `{text_of(call)}` makes" if adds else ""


def brings_weights(value: ast.expr, function: Function, project: Project) -> bool:
    """Whether a value is a new layer or a new network with weights of its own."""
    if isinstance(value, ast.Name):
        made = [one for one in function.reaching(value) if one.role is not Role.CHANGED]
        bound = made[0].value if len(made) == 1 and made[0].role is Role.WHOLE else None
        nested = bound is None or isinstance(bound, ast.Name)
        return not nested and bound is not None and brings_weights(bound, function, project)
    if isinstance(value, ast.List | ast.Tuple):
        return any(brings_weights(one, function, project) for one in value.elts)
    while called_name(value) in _MOVING and isinstance(value, ast.Call):
        if not isinstance(value.func, ast.Attribute):
            break
        value = value.func.value
    if not isinstance(value, ast.Call) or self_attribute(value.func):
        return False
    called = function.module.names.called(value) or ""
    if CONTAINERS.match(called):
        return any(
            _is_new(one, function, project) for one in calls_below(value) if one is not value
        )
    return _is_new(value, function, project)


def _is_new(call: ast.Call, function: Function, project: Project) -> bool:
    called = function.module.names.called(call) or ""
    if WEIGHTS.match(called):
        return True
    if called.startswith("torch.nn.Embedding") and called.endswith(".from_pretrained"):
        frozen = keyword(call, "freeze")  # without it they are
        return isinstance(frozen, ast.Constant) and frozen.value is False
    info = project.class_named(called, function.module) if called else None
    return info is not None and project.is_network(info)
