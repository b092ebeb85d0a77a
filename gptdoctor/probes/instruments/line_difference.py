"""The first line of one function, or of those around it, at which two runs of it part."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.stack import calling_place


@dataclass(frozen=True)
class Step:
    """One operation of a function."""

    place: Place
    name: str
    output: Tensor
    number: int  # of the tensor that it gave, by which others tell that they are given it
    given: tuple[tuple[int, Tensor], ...]  # numbers and contents of the tensors that it was given


class LineTrace(TorchFunctionMode):
    """The outputs of the operations that some functions of the user's call themselves."""

    def __init__(self, root: str, places: Collection[Place]) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._kept: list[Tensor] = []  # alive, so that no number is given twice
        self._root, self._functions = root, {(one.path, one.symbol) for one in places}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        place = calling_place(sys._getframe(), self._root)
        name = getattr(func, "__name__", "")
        if place is None or place.line is None or name == "__get__" or not self._is_here(place):
            return func(*args, **(kwargs or {}))
        before = list(tensors((args, kwargs or {})))
        given = tuple((id(one), one.detach().clone()) for one in before)
        result = func(*args, **(kwargs or {}))
        outputs = result if isinstance(result, tuple | list) else (result,)
        after = [one for one in outputs if isinstance(one, Tensor)]
        if name == "__setitem__":
            after = before[:1]
        self._kept += [*before, *after]
        self.steps += [Step(place, name, one.detach().clone(), id(one), given) for one in after]
        return result

    def _is_here(self, place: Place) -> bool:
        return (place.path, place.symbol) in self._functions


def first_place(
    full: list[Step], step: list[Step], function: Place, position: int, tolerance: float
) -> Place | None:
    """The first line at which the step for one token parts from the pass over the whole text.

    Of one function; where that was given what differs already, of the function around it that
    made it.  Sizes that differ are those of positions: one where the pass has all, or all so far.
    A line that only the step runs is told where its result is the first that differs in what both
    run.
    """
    whole, steps = dict(_numbered(full)), list(_numbered(step))
    alone: dict[int, Step] = {}  # by the tensors that they gave
    for at, (key, one) in enumerate(steps):
        if (one.place.path, one.place.symbol) != (function.path, function.symbol):
            continue
        other = whole.get(key)
        if other is None:
            alone[one.number] = one
        elif _differ(one.output, other.output, position, tolerance):
            cause = _cause(one, other, alone, position, tolerance)
            return cause or _origin(steps[: at + 1], whole, position, tolerance)
    return list(alone.values())[-1].place if alone else None


_Key = tuple[str, int, str, int]  # path, line, operation, and which one of these it is


def _numbered(steps: list[Step]) -> Iterator[tuple[_Key, Step]]:
    """Each step with its line, its name and which one of these it is."""
    seen: Counter[tuple[str, int, str]] = Counter()
    for one in steps:
        key = one.place.path, one.place.line or 0, one.name
        seen[key] += 1
        yield (*key, seen[key]), one


def _cause(
    one: Step, other: Step, alone: dict[int, Step], position: int, tolerance: float
) -> Place | None:
    """The line that only the step runs and that gave what differs; None: there is none."""
    pairs = zip(one.given, other.given, strict=False)
    found = [alone[number] for (number, _), _ in pairs if number in alone]
    for (number, given), (_, wanted) in zip(one.given, other.given, strict=False):
        if number in alone and _differ(given, wanted, position, tolerance):
            return alone[number].place
    return found[-1].place if found else None


def _origin(
    steps: list[tuple[_Key, Step]], whole: dict[_Key, Step], position: int, tolerance: float
) -> Place:
    """The place of the last of the steps, or of the first on the way there that differs."""
    key, one = steps[-1]
    earlier = {made.number: at for at, (_, made) in enumerate(steps[:-1])}
    for (number, given), (_, wanted) in zip(one.given, whole[key].given, strict=False):
        at = earlier.get(number)
        if at is None or not _differ(given, wanted, position, tolerance):
            continue
        other = whole.get(steps[at][0])
        if other is not None and _differ(steps[at][1].output, other.output, position, tolerance):
            return _origin(steps[: at + 1], whole, position, tolerance)
    return one.place


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
