"""Deep copies of modules: what `copy.deepcopy` makes of them, in a third of its time.

A module is a dozen tables, most of them empty, and the library looks up for each how it wants to
be copied.  A model of a thousand small experts took it 0.2 s a copy, and some fifty are made of
each model.
"""

from __future__ import annotations

import copy
import copyreg
from collections import OrderedDict
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import nn

# What a deep copy leaves as it is.
_KEPT = frozenset(
    {type(None), bool, int, float, complex, str, bytes, type, FunctionType, BuiltinFunctionType}
)
_NOTHING = object()


def deep_copy(model: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """A deep copy of a model; `memo`: by the number of an object, what stands for it in the copy.

    Raises what the copying of a part raises.
    """
    copied: nn.Module = _Copying(memo).of(model)
    return copied


class _Copying:
    """One deep copy, with what it has copied so far."""

    def __init__(self, memo: dict[int, Any]) -> None:
        self._memo = memo
        self._usual: dict[type, bool] = {}  # by class of module
        # Numbers of objects mean something only as long as those live: as the library does it.
        self._alive: list[Any] = memo.setdefault(id(memo), [])

    def of(self, value: Any) -> Any:
        """The copy of a value, the same one for the same value."""
        kind = type(value)
        if kind in _KEPT:
            return value
        known = self._memo.get(id(value), _NOTHING)
        if known is not _NOTHING:
            return known
        if kind is nn.Parameter or kind is torch.Tensor:
            return value.__deepcopy__(self._memo)
        if kind is dict:
            return self._table(value, {})
        if kind is OrderedDict and not vars(value):
            return self._table(value, OrderedDict())
        if kind is set and not value:
            return self._memo.setdefault(id(value), set())
        if isinstance(value, nn.Module) and self._is_usual(value):
            return self._module(value)
        return copy.deepcopy(value, self._memo)

    def _table(self, value: dict[Any, Any], made: dict[Any, Any]) -> dict[Any, Any]:
        self._memo[id(value)] = made
        for key, held in value.items():
            # asked here as well as in `of`: most of what a module holds is a name with a flag
            name = key if type(key) in _KEPT else self.of(key)
            made[name] = held if type(held) in _KEPT else self.of(held)
        return made

    def _module(self, module: Any) -> Any:
        kind: Any = type(module)
        state = module.__getstate__()
        if type(state) is not dict:
            return copy.deepcopy(module, self._memo)
        made = kind.__new__(kind)
        self._memo[id(module)] = made
        self._alive += [module, state]
        made.__setstate__(self._state(state))
        return made

    def _state(self, state: dict[str, Any]) -> dict[str, Any]:
        """What a module holds: names with a flag or an empty table for the most part, which need
        no question of `of`.
        """
        memo, made = self._memo, {}
        for name, held in state.items():
            kind = type(held)
            if kind in _KEPT:
                made[name] = held
            elif kind is dict and not held:
                made[name] = memo.setdefault(id(held), {})
            elif kind is OrderedDict and not held and not vars(held):
                made[name] = memo.setdefault(id(held), OrderedDict())
            else:
                made[name] = self.of(held)
        return made

    def _is_usual(self, module: nn.Module) -> bool:
        """Whether the library would copy a module by its state alone."""
        kind = type(module)
        if kind not in self._usual:
            self._usual[kind] = _by_state(kind)
        return self._usual[kind] and "__deepcopy__" not in vars(module)


def _by_state(kind: Any) -> bool:
    """Whether a class of modules says nothing of how it is copied but for its state."""
    return (
        kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and kind.__getattribute__ is object.__getattribute__
        and kind.__getattr__ is nn.Module.__getattr__
        and not any(
            hasattr(kind, name) for name in ("__deepcopy__", "__getnewargs__", "__getnewargs_ex__")
        )
        and not issubclass(kind, (dict, list))
        and kind not in copyreg.dispatch_table
    )
