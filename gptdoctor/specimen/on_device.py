"""Models on an accelerator, called as if they were on the CPU.

All inputs are made on the CPU and all outputs are compared there; hooks of the model move them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
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
    """Let `model` take inputs from the CPU and give outputs to it, wherever it is.

    What its own methods call it with is on its device, and so is what they get.
    """
    device = device_of(model)
    if device != CPU:
        ferry = _Ferry(device)
        model.register_forward_pre_hook(ferry.there, with_kwargs=True)
        model.register_forward_hook(ferry.back, always_call=True)


def bridged(entry: Callable[..., Any], model: nn.Module) -> Callable[..., Any]:
    """The same for a method of `model` that no hook watches."""
    device = device_of(model)
    if device == CPU:
        return entry

    @wraps(entry)
    def call(*arguments: Any, **named: Any) -> Any:
        return _moved(entry(*_moved(arguments, device), **_moved(named, device)), CPU, _SHALLOW)

    return call


# How deep logits and losses lie in what a model returns; a cache lies deeper, and stays where
# the model wants it.
_SHALLOW = 1
_DEEPEST = 4  # of what a model is given: tensors in a batch, and in lists of it


class _Ferry:
    """Moves the tensors of a call to where the model is, and the outputs back if any moved."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._crossed: list[bool] = []  # of the calls that are under way, the last one innermost

    def there(self, module: nn.Module, arguments: Any, named: Any) -> Any:
        """As a hook before the forward pass."""
        given = list(_tensors((arguments, named)))
        crossing = any(each.device != self._device for each in given)
        self._crossed.append(crossing or not given)
        return _moved(arguments, self._device), _moved(named, self._device)

    def back(self, module: nn.Module, arguments: Any, outputs: Any) -> Any:
        """As a hook behind it, also where it failed."""
        crossed = not self._crossed or self._crossed.pop()
        return _moved(outputs, CPU, _SHALLOW) if crossed else outputs


def _tensors(value: Any) -> Iterator[Tensor]:
    return (tensor for _, tensor in tensors_in(value))


def _moved(value: Any, device: torch.device, depth: int = _DEEPEST) -> Any:
    """`value` with the tensors that lie in it on `device`."""
    for path, tensor in list(tensors_in(value)):
        if len(path) <= depth and tensor.device != device:
            value = substitute(value, path, tensor.to(device))
    return value
