"""The tensors among the arguments of an operation, however deep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

# Operations that put tensors beside one another.
JOINING = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)


def storage_key(tensor: Tensor) -> int:
    """What all views of the same memory have in common, as long as one of them lives."""
    return int(tensor.untyped_storage()._cdata)


def writes_in_place(name: str) -> bool:
    """Whether the operation called `name` changes its first argument: "add_", "__setitem__"."""
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def memory_of(tensor: Tensor) -> int:
    """Where the data lies, also of an array that shares it; 0: nowhere, or not known."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):  # sparse and wrapped tensors have none
        return 0
