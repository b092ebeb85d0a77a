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
from gptdoctor.probes.instruments.stack import calling_place
from gptdoctor.specimen.places import user_place

_TRANSPOSE = torch.Tensor.T.__get__  # type: ignore[attr-defined]
# They change the shape and keep the order of the numbers.
RESHAPING = frozenset(
    {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"}
)
_ELEMENTWISE = frozenset(
    f"{before}{name}{after}"
    for name in ("add", "sub", "mul", "div", "pow", "truediv")
    for before, after in (("", ""), ("", "_"), ("__", "__"), ("__r", "__"), ("__i", "__"))
) | {"mse_loss", "l1_loss", "smooth_l1_loss", "maximum", "minimum", "where", "multiply", "subtract"}


@dataclass(frozen=True, kw_only=True)
class Reshape:
    """One operation that gave a tensor another shape."""

    place: Place
    operation: str
    before: tuple[int, ...]
    after: tuple[int, ...]


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
    that count rows of the batch alone.
    """

    root: str
    length: int = 0
    counts: frozenset[int] = frozenset()
    transposes: dict[tuple[str, str, int], int] = field(default_factory=dict)
    reshapes: list[Reshape] = field(default_factory=list)
    mixed: dict[Place, Reshape] = field(default_factory=dict)
    spread: dict[Place, Spread] = field(default_factory=dict)

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
        if name in RESHAPING and isinstance(result, Tensor):
            self._note_reshape(name, args, result)
        elif name in _ELEMENTWISE and self.counts:
            self._note_spread(name, args, kwargs or {}, result)
        return result

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

    def _note_spread(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        given = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
        if len(given) < 2 or not given[-1].dim():
            return
        first, second = given[-2:]
        shapes = sorted((tuple(first.shape), tuple(second.shape)), key=len, reverse=True)
        if not is_spread(shapes[0], shapes[1], self.counts):
            return
        place = user_place(sys._getframe(2), self.root)
        floating = first.requires_grad or second.requires_grad
        if place is not None and floating:
            shape = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
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


def is_spread(longer: tuple[int, ...], shorter: tuple[int, ...], counts: frozenset[int]) -> bool:
    """Whether (.., N, 1) meets (N,): each of N rows of the batch with each other.

    Nobody who means that leaves the first dimension of the other operand to be guessed: pairs of
    rows that are meant are (N, 1) and (1, N).
    """
    if len(longer) <= len(shorter) or not shorter:
        return False
    count = shorter[-1]
    aside = all(size == 1 for size in shorter[:-1])
    return count in counts and aside and longer[-1] == 1 and longer[-2] == count
