"""What an attention lets its positions see, and which mask it was given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gptdoctor.probes.instruments.operations import FUSED, SOFTMAX, Operation, Recording

# Scores below this are hidden: those of moved weights stay within some tens, masks begin at -100.
HIDDEN = -80.0
# What hands scores on as they are, but for a mask.
_ON_THE_WAY = re.compile(
    r"masked_fill_?|where|(?:add|mul|div|sub)_?|__r?(?:add|sub|mul)__|__i(?:add|mul)__|__truediv__"
    r"|to|float|type_as|half|double|bfloat16|type|clamp|contiguous|clone|view|reshape|__setitem__"
    r"|dropout|tanh|(?:un)?squeeze|(?:un)?flatten"
)


@dataclass(frozen=True)
class Sight:
    """What the positions of one attention see."""

    operation: Operation
    visible: Tensor  # [T, T], True at [q, k] where some head of some row sees k from q
    mask: int | None  # number of the mask's value, where there is one
    applied: Operation | None  # the operation that applies the mask

    @property
    def ahead(self) -> int:
        """How many positions ahead the farthest is that is seen."""
        return _farthest(self.visible.triu(1))

    @property
    def pattern(self) -> str:
        """The shape in a word."""
        length = self.visible.shape[-1]
        own = self.visible.diagonal()
        later = self.visible.triu(1)
        earlier = self.visible.tril(-1)
        if not later.any():
            if not own[1:].any() and earlier.any():
                return "never itself"
            return "causal" if earlier.any() else "only itself"
        if bool(self.visible.all()):
            return "everything"
        # A row that sees nothing is softened to all of them by masks that are no infinity.
        if not earlier[:-1].any():
            return "only later"
        if not own[1:].any() and not later[1:].any():
            return "never itself"
        return "ahead" if self.ahead < length - 1 else "other"


def _farthest(seen: Tensor) -> int:
    places = seen.nonzero()
    return int((places[:, 1] - places[:, 0]).max()) if len(places) else 0


def plain_values(recording: Recording) -> frozenset[int]:
    """The numbers of the values that hold nothing of what tokens say, as masks and biases do not.

    What is computed from the inputs and has met a weight that is trained holds it.
    """
    weights = (
        number for number, (owner, name) in recording.owners.items() if _is_trained(owner, name)
    )
    said = recording.derived_from(recording.given) & recording.derived_from(weights)
    return frozenset(recording.values) - said


def _is_trained(owner: nn.Module, name: str) -> bool:
    parameter = dict(owner.named_parameters(recurse=False)).get(name)
    return parameter is not None and parameter.requires_grad


def sights(recording: Recording, length: int) -> Iterator[Sight]:
    """All attentions of a text of `length` over itself."""
    plain = plain_values(recording)
    for operation in recording.operations:
        sight = sight_of(operation, recording, length, plain)
        if sight is not None:
            yield sight


def sight_of(
    operation: Operation, recording: Recording, length: int, plain: frozenset[int]
) -> Sight | None:
    """What the positions of one operation see; None where it is no attention over the text."""
    if operation.name in SOFTMAX:
        return _sight_of_softmax(operation, recording, length, plain)
    if operation.name == "scaled_dot_product_attention":
        return _sight_of_fused(operation, length)
    if operation.name == "multi_head_attention_forward":
        return _sight_of_heads(operation, recording, length)
    return None


def _sight_of_softmax(
    operation: Operation, recording: Recording, length: int, plain: frozenset[int]
) -> Sight | None:
    scores = operation.args[0] if operation.args else None
    if not isinstance(scores, Tensor) or scores.dim() < 3 or scores.shape[-2] != length:
        return None
    if scores.shape[-1] < length or _dimension(operation, scores.dim()) != scores.dim() - 1:
        return None
    shown = (scores > HIDDEN)[..., -length:]  # what stands before the text is memory
    visible = shown.reshape(-1, length, length).any(dim=0)
    met = _met(operation, recording, plain)
    pairwise = ((each, by) for each, by in met if _is_pairwise(recording.values[each], length))
    mask, applied = next(pairwise, (None, None))
    return Sight(operation, visible, mask, applied)


def _dimension(operation: Operation, rank: int) -> int:
    given = operation.kwargs.get("dim", operation.args[1] if len(operation.args) > 1 else None)
    return given % rank if isinstance(given, int) and rank else -1


def _sight_of_fused(operation: Operation, length: int) -> Sight | None:
    args, kwargs = operation.args, operation.kwargs
    query, key = (kwargs.get(name, args[at] if len(args) > at else None)
                  for at, name in enumerate(("query", "key")))  # fmt: skip
    if not isinstance(query, Tensor) or not isinstance(key, Tensor):
        return None
    if query.shape[-2] != length or key.shape[-2] < length:
        return None
    mask = kwargs.get("attn_mask", args[3] if len(args) > 3 else None)
    causal = kwargs.get("is_causal", args[5] if len(args) > 5 else False)
    if causal:
        return Sight(operation, torch.ones(length, length, dtype=torch.bool).tril(), None, None)
    if not isinstance(mask, Tensor):
        return Sight(operation, torch.ones(length, length, dtype=torch.bool), None, None)
    if mask.dim() < 2 or mask.shape[-1] < length:
        return None
    shown = mask if mask.dtype == torch.bool else mask > HIDDEN
    shown = shown[..., -length:].expand(*mask.shape[:-2], length, length)
    at = list(operation.inputs[3:4])
    return Sight(
        operation, shown.reshape(-1, length, length).any(dim=0), at[0] if at else None, operation
    )


def _sight_of_heads(operation: Operation, recording: Recording, length: int) -> Sight | None:
    """What torch's own layers see: their masks are True where nothing is seen."""
    query, key = operation.args[:2]
    if query.shape[0] != length or key.shape[0] != length:
        return None
    mask = operation.kwargs.get("attn_mask")
    if not isinstance(mask, Tensor):
        causal = bool(operation.kwargs.get("is_causal", False))
        seen = torch.ones(length, length, dtype=torch.bool)
        return Sight(operation, seen.tril() if causal else seen, None, None)
    shown = ~mask if mask.dtype == torch.bool else mask > HIDDEN
    at = [
        number
        for number in operation.inputs
        if recording.values[number].shape == mask.shape
        and torch.equal(recording.values[number], mask)
    ]
    visible = shown.reshape(-1, length, length).any(dim=0)
    return Sight(operation, visible, at[0] if at else None, operation)


def softening(operation: Operation, recording: Recording) -> Operation | None:
    """The softmax whose weights an operation puts to use; itself where it is one."""
    if operation.name in SOFTMAX | FUSED:
        return operation
    for number in operation.inputs:
        for _ in range(6):
            maker = recording.maker.get(number)
            if maker is None:
                break
            if maker.name in SOFTMAX:
                return maker
            if not maker.inputs or not _ON_THE_WAY.fullmatch(maker.name):
                break
            number = maker.inputs[0]
    return None


def masks_of(operation: Operation, recording: Recording, plain: frozenset[int]) -> tuple[int, ...]:
    """The numbers of all that may hide positions from an attention, the last applied first."""
    if operation.name in SOFTMAX:
        return tuple(number for number, _ in _met(operation, recording, plain))
    return tuple(number for number in operation.inputs if number in plain)


def _met(
    operation: Operation, recording: Recording, plain: frozenset[int]
) -> Iterator[tuple[int, Operation]]:
    """What scores met on their way that holds no scores, and the operation at which they did."""
    current = operation
    for _ in range(12):
        scores = [number for number in current.inputs if number not in plain]
        maker = recording.maker.get(scores[0]) if scores else None
        if maker is None or not _ON_THE_WAY.fullmatch(maker.name):
            return
        yield from ((number, maker) for number in maker.inputs if number in plain)
        current = maker


def _is_pairwise(value: Tensor, length: int) -> bool:
    """Whether a value may be a mask over pairs of positions, rather than a bias by distance."""
    if value.dim() < 2 or min(value.shape[-2:]) < length:
        return False
    return not value.is_floating_point() or hides(value)


def hides(value: Tensor) -> bool:
    """Whether a value may be a mask: it says yes or no, or takes far more away than a score has."""
    return bool((value <= HIDDEN).any()) or value_count(value) <= 2


def blinding(recording: Recording) -> Operation | None:
    """The softmax that made the first numbers that are none, of scores that are hidden all."""
    for operation in recording.operations:
        if not any(each.is_floating_point() and each.isnan().any() for each in operation.results):
            continue
        scores = operation.args[0] if operation.args else None
        if operation.name not in SOFTMAX or not isinstance(scores, Tensor) or scores.isnan().any():
            return None
        dimension = _dimension(operation, scores.dim())
        return operation if bool((scores == -torch.inf).all(dim=dimension).any()) else None
    return None


def value_count(values: Tensor) -> int:
    """How many different values there are."""
    found: Tensor = torch._unique2(values)[0]
    return found.numel()
