"""A mutant (or its base) under an effect test: fresh models, inputs, and the base beside it."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Host, ids_of

ROWS, LENGTH = 3, 11  # different from each other and from all sizes of the hosts
JITTER = 0.05  # opens gates that are zero at initialisation, and shows small leaks


def load(source: str, name: str) -> ModuleType:
    """The module that a source makes."""
    module = types.ModuleType(name)
    module.__file__ = f"{name}.py"
    sys.modules[name] = module  # dataclasses look their module up
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


@dataclass(frozen=True)
class Subject:
    """A source of a host, sound or not, and the sound one."""

    host: Host
    source: str
    base_source: str

    @cached_property
    def module(self) -> ModuleType:
        """The module of the source under test."""
        return load(self.source, f"subject_{self.host.name}")

    @cached_property
    def base_module(self) -> ModuleType:
        """The module of the sound source."""
        return load(self.base_source, f"base_{self.host.name}")

    def model(self, seed: int = 0, layers: int = 2, jitter: float = JITTER) -> nn.Module:
        """A small instance in evaluation mode."""
        return self._made(self.module, seed, layers, jitter)

    def base(self, seed: int = 0, layers: int = 2, jitter: float = JITTER) -> nn.Module:
        """The same instance of the sound source."""
        return self._made(self.base_module, seed, layers, jitter)

    def _made(self, module: ModuleType, seed: int, layers: int, jitter: float) -> nn.Module:
        torch.manual_seed(seed)
        model = self.host.build(module, layers).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(jitter * torch.randn_like(parameter))
        return model

    def ids(self, rows: int = ROWS, length: int = LENGTH, seed: int = 0) -> Tensor:
        """Ids [rows, length]."""
        return ids_of(self.host, rows, length, seed)

    def labels(self, ids: Tensor, seed: int = 1) -> Tensor:
        """Labels [B, T] that are not the ids, where the host can take such."""
        if self.host.labels_are_ids:
            return ids
        return ids_of(self.host, ids.shape[0], ids.shape[1], seed)

    def logits(self, model: nn.Module, ids: Tensor) -> Tensor:
        """Logits [B, T, V], without a graph."""
        with torch.no_grad():
            return self.host.logits(model, ids)
