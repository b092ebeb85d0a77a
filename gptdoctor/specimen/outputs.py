"""Outputs of any kind: where the logits are, and how others are put in their place."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from gptdoctor.core.measurements.construction import Construction

# How one gets from an output to a tensor in it: (an item's key or an attribute's name) each step.
Path = tuple[tuple[str, Any], ...]
# An output object in an output object in a tuple is rare; deeper things are caches.
_DEEPEST = 3
LAST_ONLY = "logits of the last position"


def gives_the_last(construction: Construction) -> bool:
    """Whether the outputs are logits of the last position alone, whatever token is there."""
    return LAST_ONLY in construction.returns and construction.length > 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The sizes that tell logits from other tensors."""

    batch: int
    length: int
    vocabularies: frozenset[int]  # widths that logits may have
    time_first: bool = False  # the model wants and gives [T, B, ...]


def tensors_in(raw: Any, path: Path = ()) -> Iterator[tuple[Path, Tensor]]:
    """All tensors in an output, with the way to each, in the order they were returned."""
    if isinstance(raw, Tensor):
        yield path, raw
    elif len(path) < _DEEPEST:
        for step, inner in _members(raw):
            yield from tensors_in(inner, (*path, step))


def _members(raw: Any) -> Iterator[tuple[tuple[str, Any], Any]]:
    """What an output holds, with the step to it."""
    if isinstance(raw, tuple) and hasattr(raw, "_fields"):
        yield from ((("attribute", name), getattr(raw, name)) for name in raw._fields)
    elif isinstance(raw, Mapping):
        yield from ((("item", key), value) for key, value in raw.items())
    elif isinstance(raw, tuple | list):
        yield from ((("item", index), value) for index, value in enumerate(raw))
    elif hasattr(raw, "__dict__") and not callable(raw):
        yield from ((("attribute", name), value) for name, value in vars(raw).items())


def logits_in(raw: Any, layout: Layout) -> tuple[Path, Tensor] | None:
    """The way to the tensor that looks most like logits, and that tensor as it was returned.

    None where `is_shifted` says that they are of no use without the loss beside them.
    """
    if is_shifted(raw, layout):
        return None
    found = [
        (_likeness(path, tensor, layout), -index, path, tensor)
        for index, (path, tensor) in enumerate(tensors_in(raw))
    ]
    best = max(found, key=lambda each: each[:2], default=None)
    return None if best is None or best[0] <= 0 else (best[2], best[3])


def features_in(raw: Any, layout: Layout) -> Tensor | None:
    """The first floating tensor with a row for each of the batch, as `features_at` has it."""
    found = features_at(raw, layout)
    return None if found is None else found[1]


def features_at(raw: Any, layout: Layout) -> tuple[Path, Tensor] | None:
    """The way to the first floating tensor with a row for each of the batch, and that tensor.

    Hidden states, or class scores.  Where that is the first of a list of its like, the outputs of
    all layers, it is the last one.
    """
    rows = {layout.batch, layout.length} if layout.time_first else {layout.batch}
    found = [
        (path, tensor)
        for path, tensor in tensors_in(raw)
        if tensor.is_floating_point() and tensor.dim() and tensor.shape[0] in rows
    ]
    if not found:
        return None
    first, tensor = found[0]
    listed = first and isinstance(first[-1][1], int) and (len(first) > 1 or isinstance(raw, list))
    alike = [(path, other) for path, other in found if path[:-1] == first[:-1]]
    if listed and all(other.shape == tensor.shape for _, other in alike):
        return alike[-1]
    return found[0]


def _likeness(path: Path, tensor: Tensor, layout: Layout) -> int:
    """How much a tensor looks like logits; 0: not at all."""
    if not tensor.is_floating_point() or tensor.dim() not in (2, 3):
        return 0
    named = any("logit" in str(step[1]).lower() for step in path)
    if arrange(tensor, layout) is None:
        return 0
    exact = tensor.dim() == 3 and tensor.shape[-1] in layout.vocabularies
    return 1 + 2 * exact + 4 * named


def arrange(tensor: Tensor, layout: Layout) -> Tensor | None:
    """A returned tensor as logits [B, T, V] ([B, 1, V] where only the last position is given).

    None: it cannot be logits of this batch and length.
    """
    batch, length = layout.batch, layout.length
    if layout.time_first and tensor.dim() == 3:
        tensor = tensor.transpose(0, 1)
    if tensor.shape[-1] in layout.vocabularies:
        if tensor.dim() == 3 and tensor.shape[0] == batch:
            return tensor[:, -length:]  # what stands before the text belongs to other inputs
        if tensor.dim() == 2 and tensor.shape[0] == batch * length:
            return _unflatten(tensor, layout)
        if tensor.dim() == 2 and tensor.shape[0] == batch and tensor.shape[1] != length:
            return tensor.unsqueeze(1)  # [B, V], and no number for each token
    transposed = tensor.dim() == 3 and tensor.shape[1] in layout.vocabularies
    if transposed and tensor.shape[0] == batch and tensor.shape[2] == length:
        return tensor.transpose(1, 2)  # [B, V, T], as cross_entropy takes it
    return None


def is_shifted(raw: Any, layout: Layout) -> bool:
    """Whether an output has logits of all positions but one, and a number: a loss of its own.

    Such a model cuts its labels off its input, `logits = self.run(ids[:, :-1])`.
    """
    every = [tensor for _, tensor in tensors_in(raw)]
    if layout.length < 3 or not any(tensor.dim() == 0 for tensor in every):
        return False
    shorter = dataclasses.replace(layout, length=layout.length - 1)
    return any(_is_whole(tensor, shorter) for tensor in every)


def _is_whole(tensor: Tensor, layout: Layout) -> bool:
    """Whether all numbers of a tensor are logits of every position."""
    if not tensor.is_floating_point() or tensor.dim() not in (2, 3):
        return False
    found = arrange(tensor, layout)
    return (
        found is not None and found.numel() == tensor.numel() and (found.shape[1] == layout.length)
    )


def _unflatten(tensor: Tensor, layout: Layout) -> Tensor:
    """Flattened logits [B * T, V], or [T * B, V], as [B, T, V]."""
    if layout.time_first:
        return tensor.reshape(layout.length, layout.batch, -1).transpose(0, 1)
    return tensor.reshape(layout.batch, layout.length, -1)


def loss_in(raw: Any, logits: Path | None) -> Tensor | None:
    """The scalar that a call returned as its loss: by name, else the first scalar."""
    found = loss_at(raw, logits)
    return None if found is None else found[1].reshape(())


def loss_at(raw: Any, logits: Path | None) -> tuple[Path, Tensor] | None:
    """The way to that scalar, and the scalar as it was returned."""
    scalars = [
        (_loss_rank(path), -index, path, tensor)
        for index, (path, tensor) in enumerate(tensors_in(raw))
        if tensor.numel() == 1 and tensor.is_floating_point() and path != logits
    ]
    best = max(scalars, key=lambda each: each[:2], default=None)
    return None if best is None else best[2:]


def _loss_rank(path: Path) -> int:
    """How likely a scalar under these names is the whole loss, rather than a part or no loss."""
    name = str(path[-1][1]).lower() if path else "loss"
    if name == "loss":
        return 3
    if "loss" not in name:
        return 1
    return 0 if any(part in name for part in ("aux", "balanc", "router", "z_", "reg")) else 2


def substitute(raw: Any, path: Path, tensor: Tensor) -> Any:
    """The output `raw` with `tensor` at the end of `path`; what is on the way is copied."""
    if not path:
        return tensor
    (how, key), rest = path[0], path[1:]
    if how == "attribute":
        inner = substitute(getattr(raw, key), rest, tensor)
        if isinstance(raw, tuple):
            return raw._replace(**{key: inner})  # type: ignore[attr-defined]
        changed = copy.copy(raw)
        object.__setattr__(changed, key, inner)  # also where the dataclass is frozen
        return changed
    inner = substitute(raw[key], rest, tensor)
    if isinstance(raw, tuple):
        return tuple(inner if index == key else value for index, value in enumerate(raw))
    changed = copy.copy(raw)
    changed[key] = inner
    return changed


def describe(raw: Any, logits: Path | None, loss: bool, last_only: bool) -> str:
    """What the entry returns, in words: "logits", "tuple with logits", "no logits"."""
    if logits is None:
        return "loss" if loss else "no logits"
    what = "logits and loss" if loss else LAST_ONLY if last_only else "logits"
    if isinstance(raw, Tensor) or (loss and isinstance(raw, tuple) and len(raw) == 2):
        return what
    plain = type(raw) in (tuple, list, dict)
    return f"{type(raw).__name__ if plain else 'object'} with {what}"
