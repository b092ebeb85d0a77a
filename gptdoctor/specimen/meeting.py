"""Which weight an input meets first: how a picture's width or the vocabulary is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Meeting(TorchFunctionMode):
    """While active, notes the first operation that joins the tensor `watched` with a weight.

    `operation` is "linear", "conv1d", "conv2d" or "embedding"; `width` is what the weight wants:
    features, channels, or the number of ids it knows.
    """

    def __init__(self, watched: Tensor) -> None:
        super().__init__()
        self.operation = ""
        self.width = 0
        self._watched = watched
        self._storage = watched.untyped_storage()._cdata

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Look at one operation, then run it."""
        name = getattr(func, "__name__", "")
        if not self.operation and name in _OPERATIONS:
            self._look(name, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def _look(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        operands = [*args, *kwargs.values()]
        if len(operands) < 2 or not self._is_watched(operands[0], name == "embedding"):
            return
        operation, dimension = _OPERATIONS[name]
        weight = operands[1]
        if isinstance(weight, Tensor) and weight.dim() >= abs(dimension) and weight.dim() > 1:
            self.operation, self.width = operation, weight.shape[dimension]

    def _is_watched(self, value: Any, by_content: bool) -> bool:
        if not isinstance(value, Tensor):
            return False
        if value.untyped_storage()._cdata == self._storage:
            return True
        # ids are often clipped or copied before they are looked up; what went to another device
        # is known by its content alone
        alike = by_content or value.device != self._watched.device
        return (
            alike
            and value.shape == self._watched.shape
            and torch.equal(value.to(self._watched), self._watched)
        )


# Operation, and the dimension of its second operand that must fit the first one's width.
_OPERATIONS = {
    "linear": ("linear", 1),
    "matmul": ("linear", -2),
    "__matmul__": ("linear", -2),
    "conv1d": ("conv1d", 1),
    "conv2d": ("conv2d", 1),
    "embedding": ("embedding", 0),
}
