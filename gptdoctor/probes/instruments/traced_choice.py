"""Which lines of the user's scale logits by a temperature, and which choose the token."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.stack import calling_place

_DIVIDES = frozenset({"div", "div_", "true_divide", "divide", "__truediv__", "__itruediv__"})
_MULTIPLIES = frozenset({"mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__"})
_SORTS = frozenset({"topk", "sort", "argsort", "kthvalue"})
_CHOOSES = _SORTS | {"argmax", "max", "multinomial"}
_MASKS = frozenset(
    {"masked_fill", "masked_fill_", "__setitem__", "where", "scatter", "scatter_", "index_fill"}
)
_READS = frozenset({"__getitem__", "select", "narrow"})
_COMPARES = frozenset({"gt", "ge", "lt", "le", "__gt__", "__ge__", "__lt__", "__le__"})
_SOFTENS = frozenset({"softmax", "log_softmax"})
_STEPS = {
    "sort": _SORTS,
    "mask": _MASKS,
    "compare": _COMPARES,
    "read": _READS,
    "soften": _SOFTENS,
}
_TOLD = _CHOOSES | frozenset().union(*_STEPS.values())
# How far from one the sum of probabilities may be, in fp32.
_ROUNDING = 1e-3


class Temperature(float):
    """A number that is still known after arithmetic, also where one is divided by it."""

    inverse = False

    def _again(self, value: float, inverse: bool | None = None) -> Temperature:
        made = Temperature(value)
        made.inverse = self.inverse if inverse is None else inverse
        return made

    def __add__(self, other: float) -> Any:
        return _or_else(float.__add__(self, other), self)

    def __mul__(self, other: float) -> Any:
        return _or_else(float.__mul__(self, other), self)

    def __truediv__(self, other: float) -> Any:
        return _or_else(float.__truediv__(self, other), self)

    def __rtruediv__(self, other: float) -> Any:
        found = float.__rtruediv__(self, other)
        return found if found is NotImplemented else self._again(found, not self.inverse)

    __radd__, __rmul__ = __add__, __mul__


def _or_else(found: Any, told: Temperature) -> Any:
    return found if found is NotImplemented else told._again(found)


@dataclass(frozen=True)
class Scaling:
    """One place where a temperature met a tensor as wide as the vocabulary."""

    place: Place
    how: str  # "divide", "multiply", "other"
    probabilities: bool  # the tensor's rows sum to one already


@dataclass(frozen=True)
class Step:
    """One operation on a tensor as wide as the vocabulary."""

    kind: str  # of `_STEPS`
    place: Place
    sorted: bool  # it is given numbers that fall from the first to the last of a row
    floating: bool  # it is given numbers, and not flags alone


class TracedChoice(TorchFunctionMode):
    """Notes where a `Temperature` scales tensors [..., V], and the places that choose one."""

    def __init__(self, root: str, vocabulary: int) -> None:
        super().__init__()
        self.scalings: list[Scaling] = []
        self.choices: list[Place] = []  # in the order in which they ran
        self.steps: list[Step] = []  # in that order too
        self._root, self._vocabulary = root, vocabulary

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        given = (*args, *kwargs.values())
        wide = [tensor for tensor in tensors(given) if self._is_wide(tensor)]
        if wide:
            told = next((each for each in given if isinstance(each, Temperature)), None)
            if told is not None or name in _TOLD:
                self._note(name, wide, told, _caller(func))
        return func(*args, **kwargs)

    def _is_wide(self, tensor: Tensor) -> bool:
        return bool(tensor.dim()) and tensor.shape[-1] == self._vocabulary

    def _note(
        self, name: str, wide: list[Tensor], told: Temperature | None, frame: FrameType | None
    ) -> None:
        place = calling_place(frame, self._root)
        if place is None:
            return
        if name in _CHOOSES:
            self.choices.append(place)
        kinds = [kind for kind, names in _STEPS.items() if name in names]
        # Only [B, T, V] has positions to read from.
        numbers = [tensor for tensor in wide if tensor.is_floating_point()]
        ordered = any(is_sorted(tensor) for tensor in numbers)
        self.steps += [
            Step(kind, place, ordered, bool(numbers))
            for kind in kinds
            if kind != "read" or wide[0].dim() == 3
        ]
        if told is not None:
            how = _how(name, told)
            self.scalings.append(Scaling(place, how, are_probabilities(wide[0])))


def _caller(func: Any) -> FrameType | None:
    """The frame that called `func` under our mode.

    What torch.nn.functional writes in Python stands on the stack itself, with what hands it over.
    """
    code = getattr(func, "__code__", None)
    frame: FrameType | None = sys._getframe(1)
    start = frame
    while code is not None and frame is not None:
        if frame.f_code is code:
            return frame.f_back
        frame = frame.f_back
    return start


def _how(name: str, told: Temperature) -> str:
    kinds = ("divide", "multiply")
    if name in _MULTIPLIES:
        kinds = ("multiply", "divide")
    elif name not in _DIVIDES:
        return "other"
    return kinds[told.inverse]


def are_probabilities(tensor: Tensor) -> bool:
    """Whether the rows of a tensor [..., V] are distributions."""
    if not tensor.is_floating_point():
        return False
    sums = tensor.detach().sum(dim=-1)
    return bool((tensor >= 0).all()) and bool(((sums - 1).abs() < _ROUNDING).all())


def is_sorted(tensor: Tensor) -> bool:
    """Whether the first row of a tensor [..., V] falls from the first to the last."""
    row = tensor.detach().reshape(-1, tensor.shape[-1])[0]
    return bool((row[1:] <= row[:-1]).all()) and bool(row[0] > row[-1])
