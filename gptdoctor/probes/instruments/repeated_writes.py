"""Writes by numbers that put several rows in one place, of which one is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def repeated(numbers: tuple[Tensor, ...]) -> int:
    """How many of the places that broadcast numbers lead to are led to before."""
    shape = torch.broadcast_shapes(*(each.shape for each in numbers))  # type: ignore[no-untyped-call]
    flat = torch.stack([each.expand(shape).flatten() for each in numbers], dim=-1)
    return flat.shape[0] - int(torch.unique(flat, dim=0).shape[0])


def _by_item(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    given = args[1] if isinstance(args[1], tuple) else (args[1],)
    numbers = tuple(each for each in given if isinstance(each, Tensor))
    if not numbers or any(each.dtype is torch.bool for each in numbers):
        return 0
    return repeated(numbers)


def _by_index(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    index = args[2] if len(args) > 2 else kwargs["index"]
    return repeated((index,))


def no_rows(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """What is known of a write that no numbers lead."""
    return 0


ROWS_REPEATED: Mapping[str, Callable[[tuple[Any, ...], Mapping[str, Any]], int]] = {
    "__setitem__": _by_item,
    "index_put_": _by_item,
    "index_copy_": _by_index,
}
