"""Which elements an operation that writes would write: found by repeating it on a marker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def element_count(tensor: Tensor) -> int:
    """How many elements the memory behind `tensor` holds, all views of it together."""
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def seen_through(marker: Tensor, tensor: Tensor) -> Tensor:
    """A marker [elements of the memory] as `tensor` sees that memory: a view in its shape."""
    return marker.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def covered(name: str, target: Tensor, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """The elements [of the memory of `target`] that the write `name(target, *rest)` touches."""
    marker = torch.zeros(element_count(target), dtype=torch.bool, device=target.device)
    view = seen_through(marker, target)
    repeat = _REPEATS.get(name)
    if repeat is None:
        view.fill_(True)
    else:
        repeat(view, rest, kwargs)
    return marker


def read_region(name: str, source: Tensor, rest: tuple[Any, ...]) -> Tensor:
    """The elements [of the memory of `source`] that the operation `name(source, *rest)` reads."""
    marker = torch.zeros(element_count(source), dtype=torch.bool, device=source.device)
    view = seen_through(marker, source)
    if name == "__getitem__":
        view[rest[0]] = True
    else:
        view.fill_(True)
    return marker


def _argument(rest: tuple[Any, ...], kwargs: Mapping[str, Any], index: int, name: str) -> Any:
    return rest[index] if len(rest) > index else kwargs[name]


def _set_item(view: Tensor, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    view[rest[0]] = True


def _index_put(view: Tensor, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    view.index_put_(_argument(rest, kwargs, 0, "indices"), torch.tensor(True, device=view.device))


def _index_fill(view: Tensor, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    dimension = _argument(rest, kwargs, 0, "dim")
    view.index_fill_(dimension, _argument(rest, kwargs, 1, "index"), True)


def _scatter(view: Tensor, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    dimension = _argument(rest, kwargs, 0, "dim")
    view.scatter_(dimension, _argument(rest, kwargs, 1, "index"), True)


def _mask(view: Tensor, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    view.masked_fill_(_argument(rest, kwargs, 0, "mask"), True)


_REPEATS: Mapping[str, Callable[[Tensor, tuple[Any, ...], Mapping[str, Any]], None]] = {
    "__setitem__": _set_item,
    "index_put_": _index_put,
    "index_copy_": _index_fill,
    "index_fill_": _index_fill,
    "index_add_": _index_fill,
    "scatter_": _scatter,
    "scatter_add_": _scatter,
    "masked_scatter_": _mask,
    "masked_fill_": _mask,
}
# Writes that put new values in the place of old ones.  All others that write in place add to what
# is there, or change it.
REPLACING = frozenset(
    {
        "__setitem__",
        "index_put_",
        "index_copy_",
        "index_fill_",
        "scatter_",
        "masked_scatter_",
        "masked_fill_",
        "copy_",
        "zero_",
        "fill_",
    }
)
# The same into a new tensor; `where` is told apart by its three operands.
REPLACING_ELSEWHERE = frozenset(
    {"index_put", "index_copy", "index_fill", "scatter", "masked_scatter", "masked_fill"}
)


def accumulates(name: str, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a write that usually replaces was asked to add."""
    if name in ("index_put_", "index_put"):
        return bool(kwargs.get("accumulate", len(rest) > 2 and rest[2]))
    return name in ("scatter_", "scatter") and kwargs.get("reduce") is not None
