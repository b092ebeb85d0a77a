"""Tensors that leave torch as lists or arrays, and come back without their graph."""

from __future__ import annotations

from typing import Any

from torch import Tensor

LEAVING = frozenset({"tolist", "numpy", "__array__"})
RETURNING = frozenset({"tensor", "as_tensor", "asarray", "from_numpy", "new_tensor"})


class RoundTrips:
    """Remembers what each list and array was made of; only what comes back as it left is known."""

    def __init__(self) -> None:
        # the value is kept, for its id names it
        self._left: dict[int, tuple[Any, Tensor]] = {}

    def leave(self, value: Any, source: Tensor) -> None:
        """Note that a list or an array holds a tensor's numbers; a single one tells nothing."""
        if source.is_floating_point() and source.numel() > 1:
            self._left[id(value)] = (value, source)

    def source_of(self, args: tuple[Any, ...], made: Tensor) -> Tensor | None:
        """The tensor on the graph that `made` is a copy of, if one of `args` came from it."""
        for each in args:
            _, source = self._left.get(id(each), (None, None))
            if source is not None and source.requires_grad and source.shape == made.shape:
                return source
        return None
