"""Masks that a model makes of its own text: one id stands for padding, and it is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.blame import flow_place, record
from gptdoctor.probes.instruments.lost_padding import lacking
from gptdoctor.probes.instruments.masks import HIDDEN, masks_of, plain_values
from gptdoctor.probes.instruments.noticed import is_run
from gptdoctor.probes.instruments.operations import FUSED, SOFTMAX, Operation, Recording
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.texts import Text

COMPARING = frozenset({"eq", "ne", "__eq__", "__ne__"})
TINY = 1e-9  # weights below it belong to what is hidden by a number that is no infinity


@dataclass(frozen=True, kw_only=True)
class PaddingId:
    """An input of ids [B, T] in which one id is padding, as the model's own comparison says."""

    name: str
    id: int


def padding_ids(steady: Steady) -> tuple[PaddingId, ...]:
    """The inputs that are compared with one id to make a mask for some attention.

    But for the text that the outputs continue where other inputs grow with it: then it is not the
    padding alone that a longer text changes.
    """
    alone = len(steady.specimen.batch_dimensions) < 2
    inputs = steady.specimen.inputs()

    def compares(name: str, args: tuple[Any, ...], result: Any) -> bool:
        return name in COMPARING and any(args[0] is each for each in inputs.values())

    if not is_run(steady, inputs, compares):
        return ()
    recording = record(steady, inputs)
    plain = plain_values(recording)
    masks = {
        number
        for operation in recording.operations
        if operation.name in SOFTMAX | FUSED
        for number in masks_of(operation, recording, plain)
    }
    found = [
        PaddingId(name=name, id=value)
        for operation, name, value in _comparisons(recording)
        if (alone or name != steady.text.name) and masks & recording.derived_from(operation.outputs)
    ]
    return tuple(dict.fromkeys(found))


def _comparisons(recording: Recording) -> Iterator[tuple[Operation, str, int]]:
    """The operations that compare an input with a whole number, with its name and the number."""
    for operation in recording.operations:
        if operation.name not in COMPARING or len(operation.args) < 2:
            continue
        name = recording.given.get(operation.inputs[0]) if operation.inputs else None
        other = operation.args[1]
        if isinstance(other, Tensor) and other.numel() == 1:
            other = other.item()
        if name is not None and isinstance(other, int) and not isinstance(other, bool):
            yield operation, name, other


class PaddedText:
    """A text of a steady model's call, with padding behind it; all else stays the same."""

    length = 4  # real tokens
    of_others = 5  # tokens of the other texts, so that no other attention has as many keys

    def __init__(self, steady: Steady, padding: PaddingId) -> None:
        self.steady, self.padding = steady, padding
        batch = steady.specimen.batch_dimensions.get(padding.name, 0)
        self.text = Text(name=padding.name, batch_dimension=batch, time_dimension=1 - batch)

    def inputs(self, text: Tensor) -> dict[str, Any]:
        """The call with a text [T] in both rows of its batch."""
        own = self.padding.name == self.steady.text.name
        length = text.shape[0] if own else self.of_others
        inputs = self.steady.specimen.make_inputs(2, length, self.steady.seed)
        return {**inputs, self.text.name: self.text.as_given(text.expand(2, -1))}

    def real(self) -> Tensor:
        """Tokens [T], none of which is padding."""
        made = self.steady.specimen.make_inputs(2, self.length, self.steady.seed)
        tokens = self.text.rows(made[self.text.name])[0]
        other = self.padding.id + (1 if self.padding.id < int(tokens.max()) else -1)
        return torch.where(tokens == self.padding.id, other, tokens)

    def padding_of(self, count: int) -> Tensor:
        """So many tokens of padding."""
        return torch.full((count,), self.padding.id)

    def outputs(self, text: Tensor) -> Tensor:
        """The outputs [P, F] of the first row."""
        return self.steady.outputs(self.inputs(text))[0]

    def place(self, count: int) -> tuple[FlowPlace | None, bool]:
        """Where padding is seen, and whether the model's mask hides the real tokens instead."""
        text = torch.cat([self.real(), self.padding_of(count)])
        real = torch.arange(text.shape[0]) < self.length
        return _seen_at(self.steady, self.inputs(text), self.padding, real)


def _seen_at(
    steady: Steady, inputs: dict[str, Any], padding: PaddingId, real: Tensor
) -> tuple[FlowPlace | None, bool]:
    """The first attention that sees padding, or what made its mask; `real` [T] is False there."""
    recording = record(steady, inputs)
    plain = plain_values(recording)
    made = [
        operation
        for operation, name, value in _comparisons(recording)
        if name == padding.name and value == padding.id
    ]
    derived = recording.derived_from(n for one in made for n in one.outputs) & plain
    for operation in recording.operations:
        weights = _weights(operation, real)
        if weights is None or weights[..., ~real].max() <= TINY:
            continue
        if derived & set(masks_of(operation, recording, plain)):
            turned = bool(weights[..., real].max() <= weights[..., ~real].max())
            return flow_place(made[0].place, made[0].name), turned
        return flow_place(lacking(operation, derived, recording, steady), operation.name), False
    return None, False


def _weights(operation: Operation, real: Tensor) -> Tensor | None:
    """The most that an attention over T keys gives to each of them, or 1 where it may see it [T].

    `real` [T] is False for padding, of which the queries do not count.
    """
    length = real.shape[0]
    if operation.name in SOFTMAX:
        weights = operation.results[0]
    elif operation.name in FUSED:
        weights = _shown(operation, length)
    else:
        return None
    if weights.dim() < 3 or weights.shape[-1] != length:
        return None
    if weights.shape[-2] == length:
        weights = weights[..., real, :]
    return weights.reshape(-1, length).amax(dim=0)


def _shown(operation: Operation, length: int) -> Tensor:
    """1 where a fused attention may see, 0 where not [.., Q, K]; of another length: nothing."""
    args, kwargs = operation.args, operation.kwargs
    torchs_layer = operation.name == "multi_head_attention_forward"
    key = kwargs.get("key", args[1] if len(args) > 1 else None)
    if not isinstance(key, Tensor) or key.shape[0 if torchs_layer else -2] != length:
        return torch.ones(0)
    mask = kwargs.get("attn_mask", args[3] if not torchs_layer and len(args) > 3 else None)
    shown = torch.ones(1, 1, length)
    if kwargs.get("is_causal"):
        shown = torch.ones(1, length, length).tril()
    elif isinstance(mask, Tensor) and mask.shape[-1] == length:
        shown = _seen(mask, hides=torchs_layer)
    hidden = kwargs.get("key_padding_mask")  # [B, K]
    if isinstance(hidden, Tensor) and hidden.shape[-1] == length:
        shown = shown * _seen(hidden, hides=True).reshape(-1, 1, length)[-1]
    return shown if shown.dim() > 2 else shown[None]


def _seen(mask: Tensor, *, hides: bool) -> Tensor:
    """A mask as 1 where it shows, 0 where it hides; `hides`: True stands for what is hidden."""
    shown = mask > HIDDEN if mask.is_floating_point() else mask.bool() ^ hides
    return shown.float()
