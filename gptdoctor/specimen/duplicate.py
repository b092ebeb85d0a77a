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
    memo: dict[int, Any] = {}
    try:
        copied = deep_copy(model, memo)
    except (TypeError, RuntimeError, AttributeError, NotImplementedError):
        memo = {id(value): value for value in _attributes(model) if not _can_be_copied(value)}
        copied = deep_copy(model, memo)
    for module in copied.modules():
        _rebind_all(vars(module), memo)
    return copied


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
