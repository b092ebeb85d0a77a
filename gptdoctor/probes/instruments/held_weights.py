"""Weights that a module holds where torch does not look: in lists, dictionaries and attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gptdoctor.probes.instruments.graph_leaves import leaves

# torch's own tables of a module, and what holds no weights.
_TABLES = frozenset({"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"})
_DEEPEST = 4  # a list of dictionaries of modules, in an object


@dataclass(frozen=True, kw_only=True)
class HeldWeight:
    """A tensor that asks for gradients, and where it is held."""

    owner: str  # qualified name of the module
    module: nn.Module
    attribute: str
    container: str  # class of the attribute's value
    name: str  # within it: "0.weight"; "" for the value itself
    tensor: Tensor


def held_weights(model: nn.Module) -> Iterator[HeldWeight]:
    """All tensors that ask for gradients and are held by a module's plain attributes.

    A module that was set past torch (`object.__setattr__`) is left out: that is done on purpose.
    """
    registered = {id(module) for module in model.modules()}
    for owner, module in model.named_modules():
        for attribute, value in vars(module).items():
            if attribute in _TABLES or attribute.endswith("_hooks") or isinstance(value, nn.Module):
                continue
            for name, tensor in _within(value, registered, _DEEPEST):
                yield HeldWeight(
                    owner=owner,
                    module=module,
                    attribute=attribute,
                    container=type(value).__name__,
                    name=name,
                    tensor=tensor,
                )


def _within(value: Any, registered: set[int], depth: int) -> Iterator[tuple[str, Tensor]]:
    """The leaves in a value, with their names in it."""
    if isinstance(value, Tensor):
        yield from (("", leaf) for leaf in leaves(value))
    elif isinstance(value, nn.Module):
        if id(value) not in registered:
            yield from ((n, p) for n, p in value.named_parameters() if p.requires_grad)
    elif depth:
        for name, part in _parts(value):
            for inner, tensor in _within(part, registered, depth - 1):
                yield f"{name}.{inner}" if inner else name, tensor


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), each) for key, each in list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((str(index), each) for index, each in enumerate(value))
    elif not isinstance(value, type) and type(value).__module__ not in ("builtins", "torch"):
        yield from list(getattr(value, "__dict__", {}).items())  # an object of the user's
