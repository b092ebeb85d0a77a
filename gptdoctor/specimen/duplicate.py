"""Copies of a model, also where it holds something that cannot be copied."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import nn

# The tables of torch's own that a module keeps its parts in: those can always be copied.
_OWN = frozenset({"_parameters", "_buffers", "_modules"})


def duplicate(model: nn.Module) -> nn.Module:
    """A deep copy with weights of its own; what refuses to be copied is shared.

    A lock, an open file, a generator, a decorated static method: such things hold no weights.
    Raises what the copy raises where sharing does not help.
    """
    try:
        return copy.deepcopy(model)
    except (TypeError, RuntimeError, AttributeError, NotImplementedError):
        shared = {id(value): value for value in _attributes(model) if not _can_be_copied(value)}
        return copy.deepcopy(model, shared)


def _attributes(model: nn.Module) -> Iterator[Any]:
    for module in model.modules():
        yield from (value for name, value in vars(module).items() if name not in _OWN)


def _can_be_copied(value: Any) -> bool:
    try:
        copy.deepcopy(value)
    except Exception:
        return False
    return True
