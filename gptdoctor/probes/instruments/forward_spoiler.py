"""Which operation of a forward pass made NaN, or an infinity, of numbers that were finite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gptdoctor.probes.instruments.operation_log import Operation, OperationLog

# What writes an infinity on purpose: masks.
_MASKING = frozenset(
    {
        "masked_fill",
        "masked_fill_",
        "where",
        "full",
        "full_like",
        "new_full",
        "tensor",
        "fill_",
        "fill_diagonal_",
        "__setitem__",
        "triu",
        "triu_",
        "tril",
        "tril_",
        "index_fill",
        "index_fill_",
        "scatter",
        "scatter_",
        "max",
        "amax",
    }
)
# What changes the form of a mask and not what it says.
_FORM = frozenset(
    {
        "view",
        "unsqueeze",
        "expand",
        "__getitem__",
        "to",
        "bool",
        "float",
        "reshape",
        "type",
        "type_as",
        "expand_as",
        "repeat",
        "squeeze",
        "transpose",
        "contiguous",
        "detach",
        "clone",
        "__get__",
    }
)
_TRIANGLES = frozenset({"triu", "triu_", "tril", "tril_"})
_NORMALISED = frozenset({"softmax", "log_softmax", "scaled_dot_product_attention"})


@dataclass(frozen=True, kw_only=True)
class State:
    """Whether some number among tensors is NaN, or infinite."""

    nan: bool
    infinite: bool


def state_of(given: tuple[Tensor, ...]) -> State:
    """The state of all floating tensors in `given`."""
    floating = [each for each in given if each.is_floating_point() and each.numel()]
    return State(
        nan=any(bool(each.isnan().any()) for each in floating),
        infinite=any(bool(each.isinf().any()) for each in floating),
    )


@dataclass(kw_only=True)
class FiniteWatch(OperationLog):
    """While active, looks at all that operations are given and make."""

    states: dict[int, tuple[State, State]] = field(default_factory=dict)  # before and after

    def before(self, given: tuple[Tensor, ...]) -> None:
        """Look now: an operation in place changes what it is given."""
        with torch.no_grad():
            self._given = state_of(given)

    def after(self, operation: Operation) -> None:
        """Look at the result."""
        with torch.no_grad():
            self.states[id(operation)] = (self._given, state_of(operation.made))

    def first(self) -> tuple[Operation, str, str] | None:
        """The operation, "NaN" or "infinite", and the cause; None: all is finite but masks."""
        nan = next(
            (one for one in self.operations if not self._before(one).nan and self._after(one).nan),
            None,
        )
        burst = next((one for one in self.operations if self._bursts(one)), None)
        if nan is None:
            return None if burst is None else (burst, "infinite", "overflow")
        if not self._before(nan).infinite:
            return nan, "NaN", "value"
        if nan.name in _NORMALISED and _all_masked(nan):
            return self._mask_of(nan) or nan, "NaN", "masked row"
        if burst is not None and self.operations.index(burst) < self.operations.index(nan):
            return burst, "infinite", "overflow"
        return nan, "NaN", "value"

    def _before(self, operation: Operation) -> State:
        return self.states[id(operation)][0]

    def _after(self, operation: Operation) -> State:
        return self.states[id(operation)][1]

    def _bursts(self, operation: Operation) -> bool:
        """Whether an operation makes an infinity of finite numbers, and no mask."""
        before, after = self._before(operation), self._after(operation)
        made = after.infinite and not before.infinite and not before.nan
        return made and operation.name not in _MASKING

    def _mask_of(self, operation: Operation) -> Operation | None:
        """The operation that made the mask of what `operation` was given."""
        makers = self._makers(operation)
        for one in self._history(operation, makers):
            masks = [each for each in one.given if each.dtype == torch.bool]
            if one.name in _MASKING and masks:
                maker = makers.get(id(masks[0]))
                if maker is None:
                    return one
                past = [maker, *self._history(maker, makers)]
                triangles = [each for each in past if each.name in _TRIANGLES]
                known = [each for each in past if each.name not in _FORM]
                return next((each for each in (*triangles, *known) if each.place), one)
        return None

    def _makers(self, last: Operation) -> dict[int, Operation]:
        """The operation that made each tensor, before `last`."""
        found: dict[int, Operation] = {}
        for one in self.operations[: self.operations.index(last)]:
            found.update((id(each), one) for each in one.made)
        return found

    def _history(self, operation: Operation, makers: dict[int, Operation]) -> Iterator[Operation]:
        """The operations whose results an operation was given, nearest first."""
        waiting, seen = [operation], {id(operation)}
        while waiting:
            for each in waiting.pop(0).given:
                maker = makers.get(id(each))
                if maker is not None and id(maker) not in seen:
                    seen.add(id(maker))
                    waiting.append(maker)
                    yield maker


def _all_masked(operation: Operation) -> bool:
    """Whether some row that is to be normalised holds minus infinities alone."""
    if operation.name == "scaled_dot_product_attention":
        return True
    scores = operation.given[0]
    return bool((scores == -torch.inf).all(dim=-1).any())
