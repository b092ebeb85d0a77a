"""Reshapes that move positions into heads: view(B, H, T, D) of [B, T, H * D], and back."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.probes.instruments.relative_shift import FromTo

_SPLITTING = frozenset({"view", "reshape"})


def is_mixed(before: tuple[int, ...], after: tuple[int, ...], length: int) -> bool:
    """Whether a reshape takes the dimension of T positions apart and calls another one so.

    A reshape keeps the order of the numbers: what stands before the positions must have as many
    numbers as it had.  FromTo that hold sizes made of T, as the shift of relative positions
    from [T, T + 1] to [T + 1, T] does, are left alone; `RelativeShift` tells that of others.
    """
    if before.count(length) != 1 or after.count(length) != 1 or length < 2:
        return False
    made_of_length = {length - 1, length + 1, 2 * length - 1, 2 * length, 2 * length + 1}
    if made_of_length & {*before, *after}:
        return False
    return _before(before, length) != _before(after, length)


def _before(shape: tuple[int, ...], length: int) -> int:
    """How many numbers the dimensions before the positions have."""
    return math.prod(shape[: shape.index(length)])


def put_right(tensor: Tensor, after: tuple[int, ...], length: int) -> Tensor | None:
    """`tensor` in the shape `after` with its positions where they were; None: no such way.

    [B, T, H * D] becomes [B, H, T, D] by way of [B, T, H, D], and [B, H, T, D] becomes
    [B, T, H * D] by the same way back.
    """
    had, gets = _before(tuple(tensor.shape), length), _before(after, length)
    if gets % had == 0:
        parts = tensor.reshape(had, length, gets // had, -1)
    elif had % gets == 0:
        parts = tensor.reshape(gets, had // gets, length, -1)
    else:
        return None
    return parts.transpose(1, 2).reshape(after)


class PutRight(TorchFunctionMode):
    """While active, every such reshape keeps its positions."""

    def __init__(self, length: int, shifts: Collection[FromTo] = ()) -> None:
        super().__init__()
        self._length = length
        self._shifts = shifts  # which keep theirs

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") not in _SPLITTING or not isinstance(result, Tensor):
            return result
        before, after = tuple(args[0].shape), tuple(result.shape)
        mixed = result.is_floating_point() and is_mixed(before, after, self._length)
        if mixed and (before, after) not in self._shifts:
            right = put_right(args[0], after, self._length)
            return result if right is None else right.contiguous()
        return result
