"""What a call leaves behind on the modules of a model, and the lines that write it."""

from __future__ import annotations

import ast
import copy
import dis
import inspect
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.arguments import writes_in_place
from gptdoctor.probes.instruments.operations import recorded, user_frames
from gptdoctor.probes.instruments.statements import user_methods
from gptdoctor.probes.instruments.steady import Steady

_RESETS = re.compile(
    r"(?:reset|clear|empty|init|initialize|initialise|setup|set_up|forget|detach|new|release)_?"
    r"(?:\w+_)?(?:caches?|kv\w*|states?|memory|memories|mems?|hidden|history|buffers?)|reset|forget"
)
# What a method that forgets calls on what it forgets, or hands on to.
_CHANGES = re.compile(
    r"reset|clear|empty_cache|forget|setattr|delattr|pop|update|append|register|init_"
)
# Attributes of nn.Module itself; what else begins with "_" is the user's.
_TORCHS = frozenset(vars(nn.Module()))


@dataclass(frozen=True, kw_only=True)
class Left:
    """One attribute or buffer that a call has changed."""

    module: str
    name: str
    place: FlowPlace | None


def reset_methods(model: nn.Module) -> tuple[str, ...]:
    """The methods by which a model, or a part of it, promises to forget its state."""
    found = {
        name
        for module in model.modules()
        if not type(module).__module__.startswith("torch.")
        for name in dir(type(module))
        if _RESETS.fullmatch(name.strip("_")) and "hook" not in name
        if not hasattr(nn.Module, name) and not _only_makes(type(module), name)
    }
    return tuple(sorted(found))


def _only_makes(kind: type, name: str) -> bool:
    """Whether a method hands a new state back and forgets none: `init_state(batch)` in RNNs.

    It returns something, sets no attribute, and calls nothing that changes one in place.  Where
    the constructor asks it for the first state, callers may as well.
    """
    method = getattr(kind, name, None)
    constructor = inspect.getattr_static(kind, "__init__")
    if name in getattr(getattr(constructor, "__code__", None), "co_names", ()):
        return False
    code = getattr(inspect.unwrap(method), "__code__", None) if callable(method) else None
    if code is None:
        return False
    steps = list(dis.get_instructions(code))
    sets = any(step.opname in ("STORE_ATTR", "DELETE_ATTR", "STORE_SUBSCR") for step in steps)
    changes = any(writes_in_place(name) or _CHANGES.search(name) for name in code.co_names)
    returns = [
        before for before, step in itertools.pairwise(steps) if step.opname == "RETURN_VALUE"
    ]
    gives = any(one.opname != "LOAD_CONST" or one.argval is not None for one in returns)
    return gives and not sets and not changes


def kept(model: nn.Module) -> dict[tuple[str, str], Any]:
    """Copies of all that the modules keep, by the module's name and the attribute's."""
    return {
        (path, name): _copy(value)
        for path, module in model.named_modules()
        for name, value in _state(module)
    }


def _state(module: nn.Module) -> Iterator[tuple[str, Any]]:
    yield from module.named_buffers(recurse=False)
    yield from module.named_parameters(recurse=False)
    for name, value in vars(module).items():
        if name not in _TORCHS and not isinstance(value, nn.Module):
            yield name, value


def _copy(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def changed_by(
    steady: Steady, inputs: dict[str, Any], before: Mapping[tuple[str, str], Any], root: str
) -> list[Left]:
    """What one call of the model itself changes."""
    model = steady.model
    owners: dict[tuple[str, str], FlowPlace] = {}
    names = {id(module): path for path, module in model.named_modules()}
    with _settings_noted(names, owners, root):
        recording = recorded(model, inputs, root, lambda: steady.run(model, inputs))
    paths = {id(module): path for path, module in model.named_modules()}
    for operation in recording.operations:
        target = next(iter(operation.inputs), None)
        owner = recording.owners.get(target) if target is not None else None
        if owner is not None and writes_in_place(operation.name) and operation.place is not None:
            place = operation.place
            owners.setdefault(
                (paths.get(id(owner[0]), ""), owner[1]),
                FlowPlace(
                    path=place.path, symbol=place.symbol, line=place.line, operation=operation.name
                ),
            )
    after = kept(model)
    return [
        Left(
            module=path,
            name=name,
            place=owners.get((path, name)) or _written(model, path, name, root),
        )
        for (path, name), value in after.items()
        if not _equal(value, before.get((path, name), None))
    ]


@contextmanager
def _settings_noted(
    names: Mapping[int, str], owners: dict[tuple[str, str], FlowPlace], root: str
) -> Iterator[None]:
    """Note the line of each attribute that is set on a module meanwhile."""
    plain = nn.Module.__setattr__

    def noting(self: nn.Module, name: str, value: Any) -> None:
        if id(self) in names:
            place = next(user_frames(sys._getframe(1), root), None)
            if place is not None:
                owners[names[id(self)], name] = _flow(place)
        plain(self, name, value)

    nn.Module.__setattr__ = noting  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__setattr__ = plain  # type: ignore[method-assign]


def _flow(place: Place) -> FlowPlace:
    return FlowPlace(path=place.path, symbol=place.symbol, line=place.line, operation="assignment")


def _written(model: nn.Module, path: str, name: str, root: str) -> FlowPlace | None:
    """The statement of the module's class that changes what `self.name` holds."""
    module = model.get_submodule(path)
    for place, function in user_methods(type(module), root):
        if function.name == "__init__":
            continue
        for node in ast.walk(function):
            if _changes(node, name):
                line = int(getattr(node, "lineno", function.lineno))
                return FlowPlace(path=place.path, symbol=place.symbol, line=line, operation="write")
    return None


def _changes(node: ast.AST, name: str) -> bool:
    """`self.name.append(...)`, `self.name[...] = ...`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _is_attribute(node.func.value, name)
    if isinstance(node, ast.Assign):
        return any(
            isinstance(target, ast.Subscript) and _is_attribute(target.value, name)
            for target in node.targets
        )
    return False


def _is_attribute(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def dir_of(kind: type) -> frozenset[str]:
    """What a class and its bases but `object` define."""
    return frozenset(name for base in kind.__mro__[:-1] for name in vars(base))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        same = isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape
        return same and torch.equal(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if type(one) is type(other) and "__eq__" not in dir_of(type(one)):
        return True  # nothing is known of what it holds
    try:
        return bool(one == other)
    except Exception:
        return True


@torch.no_grad()
def put_back(
    model: nn.Module, states: Iterable[Left], before: Mapping[tuple[str, str], Any]
) -> None:
    """Give `model` the values of these states that it had before."""
    for state in states:
        module = model.get_submodule(state.module)
        key = state.module, state.name
        if key not in before:
            delattr(module, state.name)
        elif isinstance(getattr(module, state.name), nn.Parameter):
            getattr(module, state.name).copy_(before[key])
        else:
            setattr(module, state.name, _copy(before[key]))
