"""The text among the inputs of a call, and inputs whose rows differ in chosen places alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.roles import Slot, continued
from gptdoctor.specimen.specimen import Specimen

_KINDS = ("ids", "features", "other")  # what may be a text, the likeliest first


@dataclass(frozen=True, kw_only=True)
class Text:
    """The input that the outputs continue: ids [B, T] or vectors [B, T, D], or [T, B, ...]."""

    name: str
    batch_dimension: int
    time_dimension: int

    def rows(self, tensor: Tensor) -> Tensor:
        """The text as [B, T, ...], whatever order the model wants: a view."""
        return tensor.movedim((self.batch_dimension, self.time_dimension), (0, 1))

    def as_given(self, rows: Tensor) -> Tensor:
        """Rows [B, T, ...] in the order in which the model wants them."""
        return rows.movedim((0, 1), (self.batch_dimension, self.time_dimension)).contiguous()


def text_in(specimen: Specimen) -> Text:
    """The text of the specimen's call; Abstention where its rows or positions cannot be told."""
    name = _name(specimen)
    inputs = specimen.inputs()
    value = inputs.get(name)
    batch = specimen.batch_dimensions.get(name)
    if not isinstance(value, Tensor) or batch is None or value.dim() < 2 or batch > 1:
        raise Abstention("the call has no text in rows and positions")
    return Text(name=name, batch_dimension=batch, time_dimension=1 - batch)


def _name(specimen: Specimen) -> str:
    if specimen.recipe is not None:
        return specimen.recipe.ids
    facts = specimen.construction.inputs
    ids = tuple(
        Slot(name=fact.name, kind="ids", required=True, annotation="")
        for kind in _KINDS
        for fact in facts
        if fact.kind == kind
    )
    found = continued(ids)
    return "" if found is None else found.name


def other_text(specimen: Specimen, text: Text, batch: int, length: int, seed: int) -> Tensor:
    """Text [B, T, ...] that differs at every position from that of `make_inputs` at `seed`.

    But for an id that begins each row and stands for a picture: another would be refused.
    """
    first = text.rows(specimen.make_inputs(batch, length, seed)[text.name])
    other = text.rows(specimen.make_inputs(batch, length, seed + 1)[text.name]).clone()
    form = specimen.recipe.forms.get(text.name) if specimen.recipe is not None else None
    kept = form.first if form is not None else None
    if other.is_floating_point():
        return other
    below = int(max(first.max(), other.max())) + 1
    for _ in range(3):  # an id that agrees by chance, or is kept for the picture, is the next one
        wrong = other == first
        if kept is not None:
            wrong |= other == kept
        other = torch.where(wrong, (other + 1) % below, other)
    if kept is not None:
        other[:, 0] = first[:, 0]
    return other


def two_texts(specimen: Specimen, text: Text, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two texts [T, ...] that differ at every position."""
    first = text.rows(specimen.make_inputs(2, length, seed)[text.name])[0]
    return first, other_text(specimen, text, 2, length, seed)[0]


def with_text(specimen: Specimen, text: Text, rows: Tensor, seed: int) -> dict[str, Any]:
    """Inputs with the text `rows` [N, T, ...]; all else is the same in each row."""
    count, length = rows.shape[:2]
    inputs = specimen.make_inputs(count, length, seed)
    for name, dimension in specimen.batch_dimensions.items():
        value = inputs[name]
        if name != text.name and isinstance(value, Tensor):
            inputs[name] = value.select(dimension, 0).unsqueeze(dimension).expand_as(value).clone()
    inputs[text.name] = text.as_given(rows)
    return inputs


def changed_at(base: Tensor, other: Tensor, places: Sequence[Sequence[int]]) -> Tensor:
    """Texts [1 + N, T, ...]: `base` [T, ...], then, for each list of places, `base` with the
    tokens at these places taken from `other`.
    """
    rows = base.repeat(1 + len(places), *[1] * base.dim())
    for row, positions in enumerate(places, start=1):
        rows[row, list(positions)] = other[list(positions)]
    return rows
