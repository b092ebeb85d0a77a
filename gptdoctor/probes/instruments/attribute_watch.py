"""Attributes of modules that are set or deleted while they run, and the lines that do it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from gptdoctor.core.findings import Place
from gptdoctor.specimen.places import user_place

_WATCHED = ("__setattr__", "__delattr__", "register_parameter")


class AttributeWatch(AbstractContextManager["AttributeWatch"]):
    """While active, notes the last line of the user's that set each attribute of each module.

    Only parameters, modules and what was one are noted.
    """

    def __init__(self, root: str) -> None:
        self.set_at: dict[tuple[int, str], Place] = {}
        self._root = root
        self._before: dict[str, Callable[..., Any]] = {}

    def __enter__(self) -> AttributeWatch:
        for name in _WATCHED:
            self._before[name] = getattr(nn.Module, name)
            setattr(nn.Module, name, self._noting(self._before[name]))
        return self

    def __exit__(self, *error: object) -> None:
        for name, plain in self._before.items():
            setattr(nn.Module, name, plain)

    def _noting(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def noting(module: nn.Module, name: str, *values: Any, **named: Any) -> Any:
            is_part = any(isinstance(each, nn.Parameter | nn.Module) for each in values)
            key = id(module), name
            was_part = name in module._parameters or name in module._modules
            if is_part or was_part or key in self.set_at:
                place = user_place(sys._getframe(1), self._root)
                if place is not None:
                    self.set_at[key] = place
            return plain(module, name, *values, **named)

        return noting
