"""Elementwise operations on each pair of rows, as a test of the user's own finds them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

# Operations whose operands are made to fit each other.
ELEMENTWISE = frozenset(
    f"{before}{name}{after}"
    for name in ("add", "sub", "mul", "div", "pow", "truediv")
    for before, after in (("", ""), ("", "_"), ("__", "__"), ("__r", "__"), ("__i", "__"))
) | {"mse_loss", "l1_loss", "smooth_l1_loss", "maximum", "minimum", "where", "multiply", "subtract"}


def is_spread(longer: tuple[int, ...], shorter: tuple[int, ...], counts: Set[int]) -> bool:
    """Whether (.., N, 1) meets (N,): each of N rows of the batch with each other.

    Nobody who means that leaves the first dimension of the other operand to be guessed: pairs of
    rows that are meant are (N, 1) and (1, N).
    """
    if len(longer) <= len(shorter) or not shorter:
        return False
    count = shorter[-1]
    aside = all(size == 1 for size in shorter[:-1])
    return count in counts and aside and longer[-1] == 1 and longer[-2] == count


def spread_operands(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], counts: Set[int]
) -> tuple[Tensor, Tensor] | None:
    """The operands of an operation that pairs each row with every other; None: it does not.

    `counts` are the numbers that count rows of the batch alone.  What needs no gradient is no
    part of a loss.
    """
    if name not in ELEMENTWISE:
        return None
    given = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
    if len(given) < 2 or not given[-1].dim():
        return None
    first, second = given[-2:]
    longer, shorter = sorted((tuple(first.shape), tuple(second.shape)), key=len, reverse=True)
    floating = first.requires_grad or second.requires_grad
    return (first, second) if floating and is_spread(longer, shorter, counts) else None


class SpreadWatch(TorchFunctionMode):
    """While active, notes such operations: name, and the shapes of both operands."""

    def __init__(self, counts: Set[int]) -> None:
        super().__init__()
        self._counts = counts
        self.found: list[str] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        pair = spread_operands(name, args, kwargs or {}, self._counts)
        if pair is not None:
            self.found.append(f"{name} of {list(pair[0].shape)} and {list(pair[1].shape)}")
        return func(*args, **(kwargs or {}))
