"""Models on an accelerator, called as if they were on the CPU.

All inputs are made on the CPU and all outputs are compared there; hooks of the model move them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.specimen.outputs import substitute, tensors_in

CPU = torch.device("cpu")


def device_of(model: nn.Module) -> torch.device:
    """The device of the first parameter, which meets the inputs."""
    first = next(model.parameters(), None)
    return CPU if first is None else first.device


def accelerator() -> torch.device:
    """The accelerator of this machine that models may see, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps") if torch.backends.mps.is_available() else CPU


def bridge(model: nn.Module) -> None:
    """Let `model` take inputs from the CPU and give outputs to it, wherever it is."""
    device = device_of(model)
    if device != CPU:
        model.register_forward_pre_hook(_Mover(device).inputs, with_kwargs=True)
        model.register_forward_hook(_to_cpu)


def bridged(entry: Callable[..., Any], model: nn.Module) -> Callable[..., Any]:
    """The same for a method of `model` that no hook watches."""
    device = device_of(model)
    if device == CPU:
        return entry

    def call(*arguments: Any, **named: Any) -> Any:
        moved, moved_by_name = _Mover(device).inputs(model, arguments, named)
        return _to_cpu(model, arguments, entry(*moved, **moved_by_name))

    return call


class _Mover:
    """Moves the tensors of a call to where the model is."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def inputs(self, module: nn.Module, arguments: Any, named: Mapping[str, Any]) -> Any:
        """As a hook before the forward pass."""
        moved = tuple(self._moved(value) for value in arguments)
        return moved, {name: self._moved(value) for name, value in named.items()}

    def _moved(self, value: Any) -> Any:
        return value.to(self._device) if isinstance(value, Tensor) else value


def _to_cpu(module: nn.Module, arguments: Any, outputs: Any) -> Any:
    """Logits and losses for those who compare them; a cache stays where the model wants it."""
    for path, tensor in list(tensors_in(outputs)):
        if len(path) <= 1:
            outputs = substitute(outputs, path, tensor.cpu())
    return outputs
