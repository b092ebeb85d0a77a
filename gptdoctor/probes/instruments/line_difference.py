"""The first line of one function, or of those around it, at which two runs of it part."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.specimen.places import user_place


@dataclass(frozen=True)
class Step:
    """One operation."""

    place: Place
    name: str
    output: Tensor
    number: int  # of the tensor that it gave, by which others tell that they are given it
    given: tuple[tuple[int, Tensor], ...]  # numbers and contents of the tensors that it was given


class LineTrace(TorchFunctionMode):
    """The outputs of all operations, by the lines of the user's that ask for them.

    Not of one function's alone: what that is given wrongly may be made in another one.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._kept: list[Tensor] = []  # alive, so that no number is given twice
        self._root = root

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        place = user_place(sys._getframe(1), self._root)
        name = getattr(func, "__name__", "")
        if place is None or place.line is None or name == "__get__":
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


def first_place(
    full: list[Step], step: list[Step], function: Place, position: int, tolerance: float
) -> Place | None:
    """The first line at which the step for one token parts from the pass over the whole text.

    Of one function; where that was given what differs already, of the function that made it.
    Sizes that differ are those of positions: one where the pass has all, or all so far.
    A line that only the step runs is told where its result is the first that differs in what both
    run, and nothing that it was given does.
    """
    two = _Two(full, step, position, tolerance)
    alone: dict[int, int] = {}  # steps of no pass over the whole text, by the tensors they gave
    last: Place | None = None  # of those, in the function
    for at, (_, one) in enumerate(two.steps):
        here = (one.place.path, one.place.symbol) == (function.path, function.symbol)
        if two.other(at) is None:
            alone[one.number] = at
            last = one.place if here else last
        elif here and two.differs(at):
            cause = two.cause(at, alone)
            if cause is None:
                return two.origin(at)
            return two.behind(cause) or two.steps[cause][1].place
    return last


_Key = tuple[str, int, str, int]  # path, line, operation, and which one of these it is


def _numbered(steps: list[Step]) -> Iterator[tuple[_Key, Step]]:
    """Each step with its line, its name and which one of these it is."""
    seen: Counter[tuple[str, int, str]] = Counter()
    for one in steps:
        key = one.place.path, one.place.line or 0, one.name
        seen[key] += 1
        yield (*key, seen[key]), one


class _Two:
    """Two runs: steps are told by their index in the one for one token."""

    def __init__(self, full: list[Step], step: list[Step], position: int, tolerance: float) -> None:
        self.steps, self._whole = list(_numbered(step)), dict(_numbered(full))
        self._position, self._tolerance = position, tolerance
        self._makers: dict[int, list[int]] = {}  # of each tensor, which an operation may change
        for at, (_, one) in enumerate(self.steps):
            self._makers.setdefault(one.number, []).append(at)
        self._asked: set[int] = set()

    def other(self, at: int) -> Step | None:
        """The same step of the pass over the whole text; None: that has none."""
        return self._whole.get(self.steps[at][0])

    def differs(self, at: int) -> bool:
        """Whether a step gave something else than the same one of the other run."""
        other = self.other(at)
        return other is not None and self._differ(self.steps[at][1].output, other.output)

    def cause(self, at: int, alone: dict[int, int]) -> int | None:
        """The step that only runs here and gave what differs in another; None: there is none."""
        pairs = list(self._pairs(at))
        found = [alone[number] for number, _, _ in pairs if number in alone]
        for number, given, wanted in pairs:
            if number in alone and self._differ(given, wanted):
                return alone[number]
        return found[-1] if found else None

    def origin(self, at: int) -> Place:
        """The place of a step that differs, or of the first on the way there that does."""
        for number, given, wanted in self._pairs(at):
            if self._differ(given, wanted):
                found = self._from(self._maker(number, at))
                if found is not None:
                    return found
        return self.steps[at][1].place

    def behind(self, at: int) -> Place | None:
        """Where something differs that a step, which only runs here, was given."""
        if at in self._asked:
            return None  # by another way: it was no good then
        self._asked.add(at)
        makers = (self._maker(number, at) for number, _ in self.steps[at][1].given)
        return next((found for one in makers if (found := self._from(one)) is not None), None)

    def _from(self, at: int | None) -> Place | None:
        """Where the result of a step begins to differ; None: it does not, or there is no step."""
        if at is None:
            return None
        if self.other(at) is None:
            return self.behind(at)
        return self.origin(at) if self.differs(at) else None

    def _maker(self, number: int, before: int) -> int | None:
        """The last step before another that gave a tensor, or changed it."""
        return max((at for at in self._makers.get(number, ()) if at < before), default=None)

    def _pairs(self, at: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """What a step was given, by number, with what the other run gave there."""
        other = self.other(at)
        wanted = () if other is None else other.given
        for (number, given), (_, counterpart) in zip(self.steps[at][1].given, wanted, strict=False):
            yield number, given, counterpart

    def _differ(self, one: Tensor, whole: Tensor) -> bool:
        return _differ(one, whole, self._position, self._tolerance)


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
