"""Devices that a text names by themselves, wherever a call is told them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import start, text_of
from gptdoctor.source.kept import kept
from gptdoctor.source.literals import written_text
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to, kept_in

NAMED = re.compile(r"^(cuda|mps|xpu|npu|hpu)(:\d+)?$")
# Tensor types of another device than the CPU: `torch.cuda.FloatTensor(2, 3)`.
TYPE = re.compile(r"^torch\.cuda\.\w+Tensor$")
DEEPEST = 4  # from name to name


@dataclass(frozen=True, eq=False)
class NamedDevice:
    """A device that a call is told, and where its name is written."""

    text: str
    node: ast.expr
    function: Function | None  # None: in the module's own statements


def device_of(project: Project, call: ast.Call, function: Function) -> NamedDevice | None:
    """The device that a call names, by itself or through names, settings and keywords."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if TYPE.match(function.module.names.called(call) or ""):
        return NamedDevice(text_of(call.func), call, function)
    if name == "cuda":
        return _moved(call, function)
    for value in _given(call, function, to=name == "to"):
        found = _resolve(project, value, function, 0)
        if found is not None:
            return found
    return None


def _moved(call: ast.Call, function: Function) -> NamedDevice | None:
    """`x.cuda()` and `x.cuda(0)`; `torch.version.cuda` and `torch.cuda` are no tensors."""
    base = call.func.value if isinstance(call.func, ast.Attribute) else None
    numbered = all(isinstance(one, ast.Constant) for one in call.args)
    moves = numbered and text_of(base or call) not in ("torch", "torch.version")
    return NamedDevice(".cuda()", call, function) if moves else None


def _given(call: ast.Call, function: Function, *, to: bool) -> Iterator[ast.expr]:
    """What a call is told for its device, a dictionary of keywords included."""
    for keyword in call.keywords:
        if keyword.arg == "device":
            yield keyword.value
        elif keyword.arg is None:
            yield from _in_keywords(keyword.value, function)
    if to:
        yield from call.args[:1]


def _in_keywords(value: ast.expr, function: Function) -> Iterator[ast.expr]:
    made = bound_to(value, function) if isinstance(value, ast.Name) else value
    if isinstance(made, ast.Dict):
        for key, one in zip(made.keys, made.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "device":
                yield one
    elif isinstance(made, ast.Call) and text_of(made.func) == "dict":
        yield from (one.value for one in made.keywords if one.arg == "device")


def _resolve(
    project: Project, value: ast.expr, function: Function, depth: int
) -> NamedDevice | None:
    """The text that a value is, followed through names, `self` and torch.device(...)."""
    if depth > DEEPEST:
        return None
    if isinstance(value, ast.Constant):
        known = isinstance(value.value, str) and NAMED.match(value.value)
        return NamedDevice(text_of(value), value, function) if known else None
    if isinstance(value, ast.Call):
        device = function.module.names.called(value) == "torch.device" and value.args
        return _resolve(project, value.args[0], function, depth + 1) if device else None
    if isinstance(value, ast.Name):
        made = bound_to(value, function)
        if made is not None:
            return _resolve(project, made, function, depth + 1)
        return _of_module(value, function, depth)
    own = isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name)
    if own and isinstance(value, ast.Attribute) and text_of(value.value) == "self":
        setting = kept_in(project, function, value.attr)
        return None if setting is None else _resolve(project, *setting, depth + 1)
    return None


def _of_module(name: ast.Name, function: Function, depth: int) -> NamedDevice | None:
    """What a name of the module's top level is, where one statement gives it."""
    if function.reaching(name):
        return None
    value = _constants(function.module).get(name.id)
    if isinstance(value, ast.Call) and function.module.names.called(value) == "torch.device":
        value = value.args[0] if value.args else None
    text = written_text(value)
    if value is None or text is None or not NAMED.match(text):
        return None
    return NamedDevice(text_of(value), value, None)


@kept(8)
def _constants(module: SourceModule) -> dict[str, ast.expr]:
    """What the statements of a module's top level give to names, once each."""
    found: dict[str, list[ast.expr]] = {}
    stack: list[ast.stmt] = list(module.tree.body)
    for node in stack:
        if isinstance(node, ast.If | ast.Try):
            stack += [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)]
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def is_first(device: NamedDevice, call: ast.Call, function: Function) -> bool:
    """Whether a call is the first of its function that is told a name's device."""
    names = {node.id for node in _names_in(call)}
    earlier = (
        node
        for node in own_nodes(function.node)
        if isinstance(node, ast.Call) and start(node) < start(call)
    )
    if device.node is call:  # types are told once for all of them
        called = function.module.names.called
        typed = TYPE.match(called(call) or "") is not None
        return not typed or not any(TYPE.match(called(node) or "") for node in earlier)
    given = (one for node in earlier for one in _names_in(node))
    return not any(one.id in names for one in given)


def _names_in(call: ast.Call) -> list[ast.Name]:
    """The names that a call is given by keyword, or `.to` by position."""
    values = [one.value for one in call.keywords if one.arg in ("device", None)]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "to":
        values += call.args[:1]
    return [value for value in values if isinstance(value, ast.Name)]
