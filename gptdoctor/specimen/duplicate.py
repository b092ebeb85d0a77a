"""Copies of a model that share no weights with it, also where it holds what cannot be copied."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import CellType, FunctionType
from typing import Any

from torch import nn

from gptdoctor.specimen.deep_copy import deep_copy

# The tables of torch's own that a module keeps its parts in: those can always be copied.
_OWN = frozenset({"_parameters", "_buffers", "_modules"})
_TABLES = frozenset({dict, OrderedDict})


def duplicate(model: nn.Module) -> nn.Module:
    """A deep copy with weights of its own; what refuses to be copied is shared.

    A lock, an open file, a generator, a decorated static method: such things hold no weights.
    Functions that the model holds (hooks, `lambda x: x @ self.e.weight.t()`) are made to mean the
    copy where they mean the model.  Raises what the copy raises where sharing does not help.
    """
    return _duplicate(model)[0]


def duplicate_to_train(model: nn.Module) -> nn.Module:
    """A duplicate in training mode and without gradients.

    What `train()` and `zero_grad()` would do, each in a walk of its own, is done in one, unless a
    module of the user's sees to it itself.
    """
    copied, parts = _duplicate(model)
    for part in parts:
        for parameter in part._parameters.values():
            if parameter is not None and parameter.grad is not None:
                parameter.grad = None
    kinds: set[Any] = {type(part) for part in parts}
    if not all(map(_trains_as_usual, kinds)) or any("train" in vars(part) for part in parts):
        return copied.train()
    for part in parts:
        vars(part)["training"] = True
    return copied


def _trains_as_usual(kind: Any) -> bool:
    """Whether modules of a class are put into training mode by their flag, and those in them."""
    return (
        kind.train is nn.Module.train
        and kind.children is nn.Module.children
        and kind.named_children is nn.Module.named_children
        and kind.__setattr__.__module__.startswith("torch.nn.modules.")
        and not hasattr(kind, "training")  # a property, or what says that there is no other mode
    )


def _duplicate(model: nn.Module) -> tuple[nn.Module, list[nn.Module]]:
    """The copy, and all modules that it is made of."""
    memo: dict[int, Any] = {}
    try:
        copied = deep_copy(model, memo)
    except (TypeError, RuntimeError, AttributeError, NotImplementedError):
        memo = {id(value): value for value in _attributes(model) if not _can_be_copied(value)}
        copied = deep_copy(model, memo)
    parts = _parts(copied)
    for part in parts:
        _rebind_all(vars(part), memo)
    return copied, parts


def _parts(model: nn.Module) -> list[nn.Module]:
    """A module and all below it, once each; `modules()` makes names for them on the way."""
    found = {id(model): model}
    waiting = [model]
    while waiting:
        for part in waiting.pop()._modules.values():
            if part is not None and id(part) not in found:
                found[id(part)] = part
                waiting.append(part)
    return list(found.values())


def _rebind_all(held: dict[str, Any], memo: Mapping[int, Any]) -> None:
    """Exchange the functions among the attributes of a module and in its tables of hooks."""
    for name, value in held.items():  # values are exchanged, and no name comes or goes
        kind = type(value)
        if kind is FunctionType:
            held[name] = _rebound(value, memo)
        elif kind in _TABLES and value and name.endswith("_hooks"):
            for key, hook in value.items():
                value[key] = _rebound(hook, memo) if isinstance(hook, FunctionType) else hook


def _rebound(function: FunctionType, memo: Mapping[int, Any]) -> FunctionType:
    """The function with the copies of what it has caught, where there are copies."""
    cells = function.__closure__ or ()
    caught = [_content(cell) for cell in cells]
    copies = [memo.get(id(value), value) for value in caught]
    defaults = tuple(memo.get(id(value), value) for value in function.__defaults__ or ())
    pairs = zip((*caught, *(function.__defaults__ or ())), (*copies, *defaults), strict=True)
    if all(before is after for before, after in pairs):
        return function
    closure = tuple(
        cell if before is after else CellType(after)
        for cell, before, after in zip(cells, caught, copies, strict=True)
    )
    made = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        defaults or None,
        closure or None,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _content(cell: CellType) -> Any:
    """What a function has caught; None where nothing has been bound yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _attributes(model: nn.Module) -> Iterator[Any]:
    for module in model.modules():
        yield from (value for name, value in vars(module).items() if name not in _OWN)


def _can_be_copied(value: Any) -> bool:
    try:
        copy.deepcopy(value)
    except Exception:
        return False
    return True
