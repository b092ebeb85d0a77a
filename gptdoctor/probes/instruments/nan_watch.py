"""Where numbers cease to be numbers."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.specimen.places import user_place


class NanWatch(TorchFunctionMode):
    """While active, notes the first line that leaves a row nothing, and the first NaN.

    `emptied` gave a row that is minus infinite all along, of which a softmax is no number;
    `spoiled` gave what is no number, of what were numbers.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self.emptied: Place | None = None
        self.spoiled: Place | None = None
        self._root = root

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.spoiled is not None or not isinstance(result, Tensor):
            return result
        if not result.is_floating_point() or not result.numel():
            return result
        given = [each for each in tensors((args, kwargs or {})) if each.is_floating_point()]
        if bool(result.isnan().any()) and not any(bool(each.isnan().any()) for each in given):
            self.spoiled = user_place(sys._getframe(1), self._root)
        elif self.emptied is None and has_empty_row(result) and not any(map(has_empty_row, given)):
            self.emptied = user_place(sys._getframe(1), self._root)
        return result


def has_empty_row(scores: Tensor) -> bool:
    """Whether a vector along the last dimension is minus infinite in all of several places."""
    if scores.dim() < 2 or scores.shape[-1] < 2:
        return False
    return bool((scores == -torch.inf).all(dim=-1).any())
