"""torch without its distributed tensors: nothing is one of them where nobody has imported them."""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import torch

_NAME = "torch.distributed.tensor"


@contextlib.contextmanager
def without_distributed_tensors() -> Iterator[None]:
    """Where they are not there yet, a stand-in with a class that nothing is an instance of.

    torch asks of the first tensor of a class of its own whether it is distributed, and imports the
    whole package, 0.2 s, to learn that it is not.
    """
    if _NAME in sys.modules:
        yield
        return
    stand_in = sys.modules[_NAME] = _StandIn(_NAME)
    try:
        yield
    finally:
        _drop(stand_in)


class _StandIn(types.ModuleType):
    """The package without its content, which is fetched for whoever wants more than the class."""

    class DTensor(torch.Tensor):
        """What torch looks for."""

    @property
    def __path__(self) -> Any:  # type: ignore[override]
        return _real(self).__path__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(self), name)


def _real(stand_in: _StandIn) -> types.ModuleType:
    _drop(stand_in)
    return importlib.import_module(_NAME)


def _drop(stand_in: _StandIn) -> None:
    if sys.modules.get(_NAME) is stand_in:
        del sys.modules[_NAME]
