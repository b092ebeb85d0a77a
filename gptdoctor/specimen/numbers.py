"""The whole numbers that a configuration of any kind gives, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import nn

from gptdoctor.specimen.sizes import role_of

# Configurations in configurations are common; objects that lead back to themselves must end.
_DEEPEST = 3


def numbers_in(value: Any, depth: int = 0) -> dict[str, int]:
    """Of a dictionary its items, of an object its attributes and those of its class.

    Numbers of inner configurations are listed under their own names, where the outer one has no
    number of that name.
    """
    if depth > _DEEPEST or isinstance(value, type | ModuleType | nn.Module) or callable(value):
        return {}
    members = _members(value)
    found = {name: n for name, n in members.items() if type(n) is int}
    for inner in members.values():
        if not isinstance(inner, str | int | float | list | tuple | set):
            for name, number in numbers_in(inner, depth + 1).items():
                found.setdefault(name, number)
    return found


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {name: each for name, each in value.items() if isinstance(name, str)}
    if not hasattr(value, "__dict__"):
        return {}
    found: dict[str, Any] = {}
    for base in reversed(type(value).__mro__):
        found.update(vars(base))
    found.update(vars(value))
    return {name: each for name, each in found.items() if not name.startswith("_")}


def volume(numbers: Mapping[str, int]) -> tuple[int, int]:
    """What the parameters of a transformer grow with: the square of the width, and the layers.

    Names that tell nothing are compared by their sum.
    """
    names = frozenset(numbers)
    roles = {role_of(name, names): number for name, number in numbers.items()}
    width, layers = roles.get("width", 0), roles.get("layers", 1)
    told = max(width, 0) ** 2 * max(layers, 1) * max(roles.get("experts", 1), 1)
    return told, sum(numbers.values())
