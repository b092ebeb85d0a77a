"""Where two runs that may not differ begin to: the first operation that lets something in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gptdoctor.probes.instruments.arguments import JOINING
from gptdoctor.probes.instruments.operations import SOFTMAX, Operation, Recording

# Rounding differs by up to 3.3e-7 of the largest number between runs of other companions.
SAME = 1e-5
# What a mask adds to hide a score is at least that far down: it says nothing of the others' size.
MASKED = -1e4
# What is in fresh memory is nobody's number, and overwritten before it is one.
UNINITIALISED = frozenset({"empty", "empty_like", "new_empty", "empty_strided"})
# What of a tensor may not change, as an index; None: its form does not tell.
Protected = Callable[[torch.Size], tuple[slice, ...] | Tensor | None]


@dataclass(frozen=True)
class Sizes:
    """The sizes that tell which dimension of a tensor counts what."""

    batch: int
    length: int
    time_first: bool = False


def positions_before(border: int, sizes: Sizes) -> Protected:
    """What belongs to the positions before `border`, by the form of a tensor."""
    return positions_where(torch.arange(sizes.length) < border, sizes)


def positions_where(chosen: Tensor, sizes: Sizes) -> Protected:
    """What belongs to the positions at which `chosen` [T] is True, by the form of a tensor."""
    first = int(chosen.nonzero()[0])
    last = int(chosen.nonzero()[-1]) + 1

    def protected(shape: torch.Size) -> tuple[slice, ...] | Tensor | None:
        whole = sizes.batch * sizes.length
        part = slice(first, last)
        if _over_two_texts(shape, sizes.length):
            return None  # which of the keys are later ones, nobody knows
        if sizes.length in shape:
            return tuple(part if each == sizes.length else slice(None) for each in shape)
        if sizes.batch > 1 and len(shape) and shape[0] == whole:
            index = torch.arange(whole)
            step = index // sizes.batch if sizes.time_first else index % sizes.length
            return chosen[step]
        return None

    return protected


def _over_two_texts(shape: torch.Size, length: int) -> bool:
    """Whether these are scores over two texts side by side: no width is twice an odd number."""
    return bool(length % 2) and tuple(shape[-2:]) == (length, 2 * length)


def rows_of(sizes: Sizes, *, first: bool = True) -> Protected:
    """What belongs to the first row of the batch, or to all others, by the form of a tensor."""

    def cut(each: int) -> slice:
        return slice(each) if first else slice(each, None)

    def protected(shape: torch.Size) -> tuple[slice, ...] | Tensor | None:
        batch, whole = sizes.batch, sizes.batch * sizes.length
        if list(shape).count(batch) > 1:
            return None  # queries, keys and values are three as well
        if batch in shape:
            at = list(shape).index(batch)
            return tuple(cut(1) if each == at else slice(None) for each in range(len(shape)))
        if len(shape) and shape[0] == whole:
            index = torch.arange(whole)
            own = index % batch == 0 if sizes.time_first else index < sizes.length
            return own if first else ~own
        if len(shape) > 1 and shape[0] and shape[0] % batch == 0:  # heads in the batch
            return (cut(shape[0] // batch),)
        return None

    return protected


def everything(shape: torch.Size) -> tuple[slice, ...]:
    """Of two runs on equal inputs nothing may differ."""
    return ()


def differs(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors differ by more than rounding."""
    if first.shape != second.shape:
        return True
    if not first.is_floating_point():
        return not torch.equal(first, second)
    if not first.numel():
        return False
    gone = first.isnan() | second.isnan()
    off = torch.where(gone | (first == second), 0.0, (first - second).abs())
    masked = first <= MASKED
    told = first[first.isfinite() & ~masked]
    scale = told.abs().max() if told.numel() else torch.ones((), dtype=first.dtype)
    return bool((off > SAME * torch.where(masked, first.abs(), scale.clamp_min(1e-30))).any())


class Comparison:
    """Two recordings side by side, and which values of the first have changed where."""

    def __init__(
        self, first: Recording, second: Recording, protected: Protected, in_second: Protected
    ) -> None:
        self.first = first
        self._state: dict[int, str] = {}  # "clean", "dirty", "changed" (form unknown), by number
        self._protected = protected, in_second
        self._twins = twins(first, second)
        self._origins: dict[int, Operation] = {}
        self._stems: dict[int, Operation] = {}  # where what is dirty began to be

    def offender(self) -> Operation | None:
        """The first operation with a dirty result and no dirty input; None: there is none.

        Of those that what is dirty at the end stems from: what looks dirty and gives clean results
        again had another form than it seemed, such as tokens in the order of their experts.
        """
        first: Operation | None = None
        last: Operation | None = None
        for operation in self.first.operations:
            given = {self._state.get(number, "clean") for number in operation.inputs}
            found = self._judge(operation)
            stem = next(
                (self._stems[each] for each in operation.inputs if each in self._stems), None
            )
            if "dirty" in found and "dirty" not in given:
                stem = stem or self._blamed(operation)
            for number, state in zip(operation.outputs, found, strict=True):
                self._state[number] = state
                if state == "changed":
                    self._note_origin(operation, number)
                if state != "clean" and stem is not None:
                    self._stems[number] = stem
                else:
                    self._stems.pop(number, None)
            if "dirty" in found:
                first, last = first or stem, stem
        return last or first

    def _judge(self, operation: Operation) -> list[str]:
        """The state of each result."""
        if operation.name in UNINITIALISED:
            return ["clean"] * len(operation.results)
        twin = self._twins.get(id(operation))
        if twin is None or len(twin.results) != len(operation.results):
            return ["changed"] * len(operation.results)  # it was run in one case alone
        pairs = zip(operation.results, twin.results, strict=True)
        return [self._state_of(one, other) for one, other in pairs]

    def _state_of(self, one: Tensor, other: Tensor) -> str:
        parts = [form(each.shape) for form, each in zip(self._protected, (one, other), strict=True)]
        if parts[0] is None or parts[1] is None:
            return "changed" if differs(one, other) else "clean"
        mine, others = one[parts[0]], other[parts[1]]
        if mine.shape != others.shape:
            return "changed"
        return "dirty" if differs(mine, others) else "clean"

    def _note_origin(self, operation: Operation, number: int) -> None:
        """Remember where a value lost the form that tells its rows and positions.

        What was only joined was not mixed yet: the weights over all of it come later.
        """
        earlier = (
            self._origins[each]
            for each in operation.inputs
            if self._state.get(each) == "changed" and each in self._origins
        )
        origin = next(earlier, operation)
        joined = origin.name in JOINING and operation.name in SOFTMAX
        self._origins[number] = operation if joined else origin

    def _blamed(self, operation: Operation) -> Operation:
        """The operation itself, or the one that mixed what it was given."""
        for number in operation.inputs:
            if self._state.get(number) == "changed" and number in self._origins:
                return self._origins[number]
        return operation


def twins(first: Recording, second: Recording) -> dict[int, Operation]:
    """The operation of the second run that each of the first has: same line, name and turn."""
    others = dict(_keyed(second))
    return {id(operation): others[key] for key, operation in _keyed(first) if key in others}


def _keyed(recording: Recording) -> Iterator[tuple[tuple[object, ...], Operation]]:
    turns: dict[tuple[object, ...], int] = {}
    for operation in recording.operations:
        key = (operation.name, operation.place)
        turns[key] = turns.get(key, -1) + 1
        yield (*key, turns[key]), operation
