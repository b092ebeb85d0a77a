"""The model that the user gives, copied: all that is done is done to copies of the copy."""

from __future__ import annotations

import copy
from time import monotonic
from typing import Any

import psutil
import torch
from torch import nn

from gptdoctor.core.errors import UsageError
from gptdoctor.specimen.on_device import bridge

# The copy, a probe's copy of it, its gradients, and the two moments of Adam.
COPIES = 5
# Wrappers that stand around a model, and where they keep it.
_WRAPPERS = {
    "OptimizedModule": "_orig_mod",  # torch.compile
    "DataParallel": "module",
    "DistributedDataParallel": "module",
}


class OutOfTime(BaseException):
    """The time limit has passed; no handler of the user's or of a probe's stops this."""


class Clock:
    """Ends an examination when a copy is made or a forward pass begins too late.

    A hook of the copies; they share it, and so it is not copied with them.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = monotonic() + seconds

    def __deepcopy__(self, memo: object) -> Clock:
        self.check()
        return self

    def check(self) -> None:
        """Raise OutOfTime where the limit has passed."""
        if monotonic() > self._deadline:
            raise OutOfTime

    def __call__(self, module: nn.Module, arguments: Any) -> None:
        """As a hook before each forward pass."""
        self.check()


def unwrapped(model: object) -> nn.Module:
    """The model itself; raises UsageError where it is no model that can be examined."""
    if not isinstance(model, nn.Module):
        kind = "a class" if isinstance(model, type) else f"of type {type(model).__name__}"
        hint = "build it first: gptdoctor.examine(MyModel(...))"
        raise UsageError(f"examine wants a torch.nn.Module, and this is {kind}", hint=hint)
    found: nn.Module = model
    while type(found).__name__ in _WRAPPERS:
        found = getattr(found, _WRAPPERS[type(found).__name__])
    if torch.get_default_device().type != "cpu":
        hint = "call torch.set_default_device('cpu') before gptdoctor.examine"
        raise UsageError("inputs are made on the CPU, and another device is the default", hint=hint)
    return _with_room(found)


def _with_room(model: nn.Module) -> nn.Module:
    """The model, unless its weights have no values, or the copies would not fit into memory."""
    tensors = [*model.parameters(), *model.buffers()]
    if any(tensor.is_meta for tensor in tensors):
        raise UsageError("the model's weights have no values: they are on torch's meta device")
    needed: dict[torch.device, int] = {}
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        needed[tensor.device] = needed.get(tensor.device, 0) + COPIES * size
    for device, size in needed.items():
        free = _free_bytes(device)
        if free is not None and size > free:
            raise UsageError(
                f"copies of the model and its training take about {size / 2**30:.1f} GiB on "
                f"{device}, where {free / 2**30:.1f} GiB are free",
                hint="examine the same class with fewer layers, or a smaller width",
            )
    return model


def _free_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    return int(psutil.virtual_memory().available) if device.type == "cpu" else None


def copied(model: nn.Module, clock: Clock) -> nn.Module:
    """A deep copy without gradients, on the device of the model.

    It takes inputs from the CPU and gives outputs to it, wherever it is.
    """
    try:
        made = copy.deepcopy(model)
    except Exception as error:
        told = f"the model cannot be copied, and only copies are examined: {error}"
        raise UsageError(told) from error
    made.zero_grad(set_to_none=True)
    for module in (made, *made.children()):
        module.register_forward_pre_hook(clock)
    bridge(made)
    return made


def size_of(model: nn.Module) -> int:
    """The number of its parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
