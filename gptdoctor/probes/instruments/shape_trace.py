"""Notes what the user's lines do to the shapes of tensors, in one pass."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.head_mixing import is_mixed
from gptdoctor.probes.instruments.relative_shift import FromTo, RelativeShift
from gptdoctor.probes.instruments.spread_rows import spread_operands
from gptdoctor.probes.instruments.stack import calling_place
from gptdoctor.specimen.places import user_place

_TRANSPOSE = torch.Tensor.T.__get__  # type: ignore[attr-defined]
# They change the shape and keep the order of the numbers.
RESHAPING = frozenset(
    {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"}
)


@dataclass(frozen=True, kw_only=True)
class Reshape:
    """One operation that gave a tensor another shape."""

    place: Place
    operation: str
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def shapes(self) -> FromTo:
        """Both."""
        return self.before, self.after


@dataclass(frozen=True, kw_only=True)
class Spread:
    """An elementwise operation on each pair of rows, where one on each row was to be expected."""

    place: Place
    operation: str
    first: tuple[int, ...]
    second: tuple[int, ...]
    result: tuple[int, ...]


@dataclass(kw_only=True)
class ShapeTrace(TorchFunctionMode):
    """While active, notes transposes, reshapes and elementwise operations of the user's.

    `length` is T of the inputs, 0 where mixed positions are of no interest; `counts` the numbers
    that count rows of the batch alone; `logits` is [B, T, V], () where nobody asks for their order.
    """

    root: str
    length: int = 0
    counts: frozenset[int] = frozenset()
    logits: tuple[int, ...] = ()
    transposes: dict[tuple[str, str, int], int] = field(default_factory=dict)
    reshapes: list[Reshape] = field(default_factory=list)
    mixed: dict[Place, Reshape] = field(default_factory=dict)
    spread: dict[Place, Spread] = field(default_factory=dict)
    exchanged: Reshape | None = None  # the operation that made [T, B, V], if nothing put it right
    ids_exchanged: bool = False  # ids or labels were made [T, B] as well
    shift: RelativeShift = field(default_factory=RelativeShift)  # which mixes nothing

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func == _TRANSPOSE and args[0].dim() != 2:
            place = calling_place(sys._getframe(1), self.root)
            if place is not None:
                self.transposes[place.path, place.symbol, place.line or 0] = args[0].dim()
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if self.length:
            self.shift.note(name, args, kwargs or {}, result)
        if name in RESHAPING and isinstance(result, Tensor):
            self._note_reshape(name, args, result)
        elif self.counts:
            self._note_spread(name, args, kwargs or {})
        if self.logits and isinstance(result, Tensor):
            self._note_order(name, result)
        return result

    def _note_order(self, name: str, result: Tensor) -> None:
        shape, (batch, length, wide) = tuple(result.shape), self.logits
        if shape == self.logits:
            self.exchanged = None
        elif shape == (length, batch, wide) and self.exchanged is None:
            place = user_place(sys._getframe(2), self.root)
            if place is not None:
                self.exchanged = Reshape(
                    place=place, operation=name, before=self.logits, after=shape
                )
        elif shape == (length, batch) and not result.is_floating_point():
            self.ids_exchanged = True

    def _note_reshape(self, name: str, args: tuple[Any, ...], result: Tensor) -> None:
        before, after = tuple(args[0].shape), tuple(result.shape)
        place = user_place(sys._getframe(2), self.root)
        if place is None:
            return
        found = Reshape(place=place, operation=name, before=before, after=after)
        self.reshapes.append(found)
        mixes = self.length and result.is_floating_point() and is_mixed(before, after, self.length)
        if mixes:
            self.mixed.setdefault(place, found)

    def _note_spread(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        pair = spread_operands(name, args, kwargs, self.counts)
        place = user_place(sys._getframe(2), self.root) if pair is not None else None
        if pair is not None and place is not None:
            first, second = pair
            shape = torch.broadcast_shapes(first.shape, second.shape)  # type: ignore[no-untyped-call]
            self.spread.setdefault(
                place,
                Spread(
                    place=place,
                    operation=name.strip("_"),
                    first=tuple(first.shape),
                    second=tuple(second.shape),
                    result=tuple(shape),
                ),
            )
