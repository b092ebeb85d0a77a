"""The first line of one function at which two runs of it part."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.stack import calling_place

# Where keys and values meet queries: what differs here first was put together wrongly before.
_MEETS = frozenset({"scaled_dot_product_attention", "matmul", "__matmul__", "bmm", "einsum"})


@dataclass(frozen=True)
class Step:
    """One operation of the function."""

    line: int
    name: str
    output: Tensor


class LineTrace(TorchFunctionMode):
    """The outputs of the operations that one function of the user's calls itself."""

    def __init__(self, root: str, place: Place) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._root, self._place = root, place

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        outputs = result if isinstance(result, tuple | list) else (result,)
        name = getattr(func, "__name__", "")
        if any(isinstance(one, Tensor) for one in outputs) and name != "__get__":
            place = calling_place(sys._getframe(), self._root)
            if place is not None and place.line is not None and self._is_here(place):
                self.steps += [
                    Step(place.line, name, one.detach().clone())
                    for one in outputs
                    if isinstance(one, Tensor)
                ]
        return result

    def _is_here(self, place: Place) -> bool:
        return (place.path, place.symbol) == (self._place.path, self._place.symbol)


def first_line(full: list[Step], step: list[Step], position: int, tolerance: float) -> int | None:
    """The first line at which the step for one token parts from the pass over the whole text.

    Sizes that differ are those of positions: one where the pass has all, or all so far.  A line
    that only the step runs is told where its result shows first in the attention.
    """
    seen: Counter[tuple[int, str]] = Counter()
    whole: dict[tuple[int, str, int], Tensor] = {}
    for one in full:
        seen[one.line, one.name] += 1
        whole[one.line, one.name, seen[one.line, one.name]] = one.output
    seen.clear()
    alone: list[int] = []
    for one in step:
        seen[one.line, one.name] += 1
        other = whole.get((one.line, one.name, seen[one.line, one.name]))
        if other is None:
            alone.append(one.line)
        elif _differ(one.output, other, position, tolerance):
            return alone[-1] if alone and one.name in _MEETS else one.line
    return alone[-1] if alone else None


def _differ(one: Tensor, whole: Tensor, position: int, tolerance: float) -> bool:
    if one.dim() != whole.dim() or one.dtype != whole.dtype:
        return False
    for dimension, (part, all_) in enumerate(zip(one.shape, whole.shape, strict=True)):
        if part == all_:
            continue
        start = position if part == 1 else 0
        if part not in (1, position + 1) or start + part > all_:
            return False
        whole = whole.narrow(dimension, start, part)
    if not one.is_floating_point():
        return not torch.equal(one, whole)
    difference = (one - whole).abs().nan_to_num().max()  # two infinities of a mask are alike
    return bool(difference > tolerance * whole.abs().nan_to_num(posinf=1, neginf=1).max())
