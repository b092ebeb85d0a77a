"""Operations that make probabilities of scores, or logarithms: as functions, methods and layers."""

from __future__ import annotations

import ast

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.names import called_name
from gptdoctor.source.value_ways import operation

# Layers of torch.nn, and the function that each of them is.
LAYERS = {
    "torch.nn.Softmax": "softmax",
    "torch.nn.LogSoftmax": "log_softmax",
    "torch.nn.Sigmoid": "sigmoid",
    "torch.nn.LogSigmoid": "logsigmoid",
}
_MOVING = frozenset({"to", "cuda", "cpu", "float", "half", "double"})
FUNCTIONS = frozenset({"softmax", "log_softmax", "sigmoid", "logsigmoid", "exp", "log"})


def activation(value: ast.expr, function: Function) -> tuple[str, ast.expr | None] | None:
    """The operation that makes a value, by its function's name, and what it is made of.

    A layer that the class keeps counts as its function; of a Sequential the last layer does.
    """
    made = operation(value, function)
    if made is not None:
        return made if made[0] in FUNCTIONS else None
    if not isinstance(value, ast.Call):
        return None
    built = built_at(value.func, function)
    kinds = {layer_kind(one, function) for one in built}
    kind = kinds.pop() if len(kinds) == 1 else ""
    inner = value.args[0] if value.args and not any(map(_is_stack, built)) else None
    return (kind, inner) if kind else None


def built_at(called: ast.expr, function: Function) -> list[ast.expr]:
    """What may have been built where a layer is called: the call itself, or an attribute's."""
    if isinstance(called, ast.Call):
        return [called]
    if isinstance(called, ast.Name):
        bindings = function.reaching(called)
        made = [one.value for one in bindings if one.role is Role.WHOLE and one.value is not None]
        return [_moved(one) for one in made] if len(made) == len(bindings) else []
    name = self_attribute(called)
    if name is None or function.owner is None:
        return []
    return [_moved(one) for one in function.owner.attributes.get(name, [])]


def _moved(built: ast.expr) -> ast.expr:
    """What is built where a layer goes to a device as well: `nn.Linear(8, 1).to(device)`."""
    while called_name(built) in _MOVING and isinstance(built, ast.Call):
        if not isinstance(built.func, ast.Attribute):
            break
        built = built.func.value
    return built


def layer_kind(built: ast.expr, function: Function) -> str:
    """The operation of a layer of torch's, or of the last one of a Sequential; "" for others."""
    if _is_stack(built) and isinstance(built, ast.Call) and built.args:
        last = _last_layer(built.args)
        return "" if last is None else layer_kind(last, function)
    return LAYERS.get(function.module.names.called(built) or "", "")


def _last_layer(given: list[ast.expr]) -> ast.expr | None:
    """The last layer that a Sequential is given: one by one, as a list, or in a table by name."""
    last = given[-1]
    if isinstance(last, ast.Starred):
        last = last.value
        layers = last.elts if isinstance(last, ast.List | ast.Tuple) else []
        return _last_layer(layers) if layers else None
    if called_name(last) == "OrderedDict" and isinstance(last, ast.Call) and last.args:
        pairs = last.args[0].elts if isinstance(last.args[0], ast.List | ast.Tuple) else []
        pair = pairs[-1] if pairs else None
        return pair.elts[-1] if isinstance(pair, ast.Tuple) and pair.elts else None
    return last


def _is_stack(built: ast.expr) -> bool:
    called = built.func if isinstance(built, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == "Sequential"
