"""Indices and probabilities that are looked at before an accelerator meets them.

On the CPU a token behind the vocabulary is an IndexError.  CUDA's kernels assert it instead, and
after that no call of the process can use the device: neither a later probe nor the session of a
user who has an instance examined.  Here it is the CPU's error everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gptdoctor.specimen.on_device import CPU


def guarded(device: torch.device) -> AbstractContextManager[object]:
    """A context in which models on `device` raise what they would raise on the CPU."""
    return nullcontext() if device.type == CPU.type else IndexGuard(device.type)


class IndexGuard(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at the arguments of all operations that assert on a device of type `kind`.

    It waits for the device at each of them: milliseconds in a probe of a tiny model.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._kind = kind

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation, unless it would not run on the CPU."""
        check = _CHECKS.get(str(getattr(func, "overloadpacket", "")).removesuffix("_"))
        if check is not None and args[0].device.type == self._kind:
            check(*args)
        return func(*args, **(kwargs or {}))


def _outside(index: Tensor, low: int, high: int) -> Tensor:
    """Which of the indices, in one dimension, lie not in low ... high - 1."""
    return index[(index < low) | (index >= high)].flatten()


def _row(table: Tensor, index: Tensor, *_: Any) -> None:
    if len(_outside(index, 0, table.shape[0])):
        raise IndexError("index out of range in self")


def _row_of(source: Tensor, dim: int, index: Tensor, *_: Any) -> None:
    if len(_outside(index, 0, source.shape[dim] if source.dim() else 1)):
        raise IndexError("index out of range in self")


def _along(
    source: Tensor, dim: int, index: Tensor, *_: Any, kind: type[Exception] = RuntimeError
) -> None:
    size = source.shape[dim] if source.dim() else 1
    outside = _outside(index, 0, size)
    if len(outside):
        found = f"index {int(outside[0])} is out of bounds for dimension {dim % source.dim()}"
        raise kind(f"{found} with size {size}")


_placed = partial(_along, kind=IndexError)


def _flat(source: Tensor, index: Tensor, *_: Any) -> None:
    size = source.numel()
    outside = _outside(index, -size, size)
    if len(outside):
        raise IndexError(
            f"out of range: tried to access index {int(outside[0])} on a tensor of {size} elements."
        )


def _places(source: Tensor, indices: Sequence[Tensor | None], *_: Any) -> None:
    dim = 0
    for index in indices:
        if index is None or index.dtype in (torch.bool, torch.uint8):
            dim += 1 if index is None else index.dim()  # a mask covers as many as it has
            continue
        size = source.shape[dim]
        outside = _outside(index, -size, size)
        if len(outside):
            found = f"index {int(outside[0])} is out of bounds for dimension {dim}"
            raise IndexError(f"{found} with size {size}")
        dim += 1


def _targets(
    scores: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignored: int
) -> None:
    classes = scores.shape[1 if scores.dim() > 1 else 0]
    outside = _outside(target[target != ignored], 0, classes)
    if len(outside):
        raise IndexError(f"Target {int(outside[0])} is out of bounds.")


def _probabilities(weights: Tensor, *_: Any) -> None:
    if not bool((weights.isfinite() & (weights >= 0)).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not bool((weights.sum(dim=-1) > 0).all()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


# By the name of the operation without the "_" of its form in place.
_CHECKS: Mapping[str, Callable[..., None]] = {
    "aten.embedding": _row,
    "aten._embedding_bag": _row,
    "aten._embedding_bag_forward_only": _row,
    "aten.gather": _along,
    "aten.scatter": _along,
    "aten.scatter_add": _along,
    "aten.scatter_reduce": _along,
    "aten.index_select": _row_of,
    "aten.index_add": _along,
    "aten.index_copy": _placed,
    "aten.index_fill": _placed,
    "aten.take": _flat,
    "aten.index": _places,
    "aten.index_put": _places,
    "aten._unsafe_index": _places,
    "aten.nll_loss_forward": _targets,
    "aten.nll_loss2d_forward": _targets,
    "aten.multinomial": _probabilities,
}
