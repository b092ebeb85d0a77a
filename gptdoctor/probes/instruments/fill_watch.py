"""Which line of the user's gave a parameter its first values, seen while the model is built."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import storage_key, tensors, writes_in_place
from gptdoctor.probes.instruments.definitions import filled_at
from gptdoctor.probes.instruments.rebuilding import rebuilt
from gptdoctor.specimen.places import user_place
from gptdoctor.specimen.specimen import Specimen


class FillWatch(TorchFunctionMode):
    """While active, notes the user's line that was the last to write into each memory."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.places: dict[int, Place] = {}
        self._root = root
        self._alive: list[torch.UntypedStorage] = []  # so that no memory is used twice

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        filled = next(tensors((args, kwargs)), None)  # torch.nn.init gives its tensor by name
        if name != "requires_grad_" and writes_in_place(name) and filled is not None:
            place = user_place(sys._getframe(1), self._root)
            if place is not None:
                self._alive.append(filled.untyped_storage())
                self.places[storage_key(filled)] = place
        return result


def filled_in(specimen: Specimen, name: str) -> Place | None:
    """Where the parameter `name` gets its first values from the user's code, if it does.

    The text tells that, and building the model once more which of several lines was the last.
    A parameter that two modules share may be filled as the one or as the other.
    """
    model = specimen.model
    found = (filled_at(model, each, specimen.root) for each in _names(model, name))
    told = next((place for place in found if place is not None), None)
    return None if told is None else _watched(specimen).get(name, told)


def _names(model: nn.Module, name: str) -> list[str]:
    """All names of a parameter, this one first."""
    parameter = model.get_parameter(name)
    every = model.named_parameters(remove_duplicate=False)
    return [name, *(other for other, one in every if one is parameter and other != name)]


def _watched(specimen: Specimen) -> Mapping[str, Place]:
    watch = FillWatch(specimen.root)
    model = rebuilt(specimen, watch)
    named = () if model is None else model.named_parameters(remove_duplicate=False)
    found = {name: watch.places.get(storage_key(each)) for name, each in named}
    return {name: place for name, place in found.items() if place is not None}
