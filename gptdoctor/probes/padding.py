"""Probe padding: whether what a mask hides moves the outputs of what it does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.information import SEEDS, FlowPlace
from gptdoctor.core.measurements.padding import PaddedSide, Padding
from gptdoctor.probes.instruments.blame import CHOOSING
from gptdoctor.probes.instruments.lengths import SHORT, works_at
from gptdoctor.probes.instruments.lost_padding import padding_place
from gptdoctor.probes.instruments.padding_ids import PaddedText, PaddingId, padding_ids
from gptdoctor.probes.instruments.positions import orders_itself
from gptdoctor.probes.instruments.requirements import require_any_size, require_forward
from gptdoctor.probes.instruments.steady import FAILURES, Steady
from gptdoctor.probes.instruments.texts import Text, two_texts, with_text
from gptdoctor.probes.instruments.token_masks import (
    mask_names,
    masked_text,
    promise_of,
    says_unused,
)
from gptdoctor.probes.instruments.ways import without_capacity
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.outputs import LAST_ONLY
from gptdoctor.specimen.specimen import Specimen

PADDED = 3  # tokens, of 7 or so
KINDS = (torch.long, torch.bool, torch.float32)  # of numbers that masks are made of


def padded_influence(
    forward: Callable[[Tensor], Tensor], base: Tensor, other: Tensor, real: Tensor
) -> float:
    """How far the outputs of real tokens move when what is padded is exchanged.

    `forward` gives outputs [P, F] for a text [T] of which a mask hides the padding; `real` [T] is
    True for tokens that are no padding; `base` and `other` [T] differ at every position.
    Relative to the largest output of a real token.  One result for the whole text may be that of
    its first or last token, even of a padded one: then these two stay as they are.
    """
    first = forward(base)
    by_position = first.shape[0] == real.shape[0]
    second = forward(exchanged(base, other, real, ends=by_position))
    if by_position:
        first, second = first[real], second[real]
    scale = first.abs().max().clamp_min(torch.finfo(first.dtype).tiny)
    return float((second - first).abs().max() / scale)


def exchanged(base: Tensor, other: Tensor, real: Tensor, *, ends: bool) -> Tensor:
    """`base` [T, ...] with the padding of `other`; without `ends`, not at both ends."""
    kept = real.clone()
    if not ends:
        kept[[0, -1]] = True
    return torch.where(kept.reshape(-1, *[1] * (base.dim() - 1)), base, other)


def appended_influence(forward: Callable[[Tensor], Tensor], text: Tensor, padding: Tensor) -> float:
    """How far the outputs of a text [T] move when `padding` [P] comes after it.

    `forward` gives outputs [Q, F].  Relative to the largest output.
    """
    first, second = forward(text), forward(torch.cat([text, padding]))
    scale = first.abs().max().clamp_min(torch.finfo(first.dtype).tiny)
    return float((second[: first.shape[0]] - first).abs().max() / scale)


def measure(specimen: Specimen) -> Padding:
    """Both sides, under each mask and its opposite; where it leaks, again, and the place.

    A call may take two masks, one of them of another text or for other inputs: the padding leaks
    where none hides it.
    """
    require_forward(specimen)
    require_any_size(specimen)
    names = mask_names(specimen)
    if not names:
        return measured_with_ids(specimen)
    steady = Steady(specimen, specimen.seed)
    length = next((each for each in SHORT if works_at(steady, each)), None)
    if length is None:
        raise Abstention("no length leaves room for padding")
    steady.settle()
    steady.finite_only = False  # what is given for padding is nobody's concern
    leaks: list[tuple[_Masked, PaddedSide, Padding]] = []
    for name in names:
        masked = _Masked(steady, masked_text(specimen, name, steady.text), name, length)
        if leaks and masked.text.name != leaks[0][0].text.name:
            continue  # of another text: it says nothing of this one
        found = _hidden(masked)
        if found is not None and found.leaking_side is None:
            return found
        if found is not None and found.leaking_side is not None:
            leaks.append((masked, found.leaking_side, found))
    if not leaks:
        raise Abstention(f"no mask over the tokens could be given as {names[0]}")
    return _confirmed(*leaks[0])


def _hidden(masked: _Masked) -> Padding | None:
    """What one mask hides on both sides; None where it could not be given."""
    sides = tuple(masked.side(side) for side in ("left", "right"))
    if all(side.real_is_one is None and side.real_is_zero is None for side in sides):
        return None
    return Padding(
        mask=masked.name,
        length=masked.length,
        least_influence=masked.steady.least,
        promised=promise_of(masked.name),
        sides=sides,
        seeds_leaking=0,
        place=None,
    )


def _confirmed(masked: _Masked, leaking: PaddedSide, found: Padding) -> Padding:
    """The same with other seeds, and the place; Abstention where it may be meant."""
    steady = masked.steady
    specimen = steady.specimen
    if says_unused(specimen, masked.name):
        raise Abstention(f"its documentation says that {masked.name} is not used")
    _refuse_other_causes(steady)
    seeds = 1
    for step in range(1, SEEDS):
        other = steady.like(steady.seed + 100 * step, specimen.copy())
        again = _Masked(other, masked.text, masked.name, masked.length).side(leaking.side)
        seeds += replace(found, sides=(again,)).leaking_side is not None
    place = masked.place(leaking.side, one=found.promised != "zero")
    if place is not None and place.operation in CHOOSING:
        raise Abstention("its experts choose among all tokens, padded ones included")
    return replace(found, seeds_leaking=seeds, place=place)


def _refuse_other_causes(steady: Steady) -> None:
    """Abstention where something else than attention may read padding, as is meant."""
    if without_capacity(steady.model) is not None:
        raise Abstention("its experts have room for so many tokens, padded ones included")
    if orders_itself(steady.model):
        raise Abstention("recurrence or convolution reads padding as it reads any token")


@dataclass(frozen=True)
class _Masked:
    """A steady model with a mask over one of its texts."""

    steady: Steady
    text: Text
    name: str  # of the mask
    length: int

    def side(self, side: str) -> PaddedSide:
        """The influence of padding on one side, under the mask and under its opposite.

        Not measured on the right where the last position alone has outputs: they are padding's own.
        """
        if side == "right" and _gives_the_last(self.steady.specimen):
            return PaddedSide(side=side, padded=PADDED, real_is_one=None, real_is_zero=None)
        real = _real(side, self.length)
        return PaddedSide(
            side=side,
            padded=PADDED,
            real_is_one=self._influence(real, one=True),
            real_is_zero=self._influence(real, one=False),
        )

    def _influence(self, real: Tensor, *, one: bool) -> float | None:
        """None: it does not run with a mask, of any kind of number, or gives none for real ones."""
        base, other = self._texts()
        for kind in KINDS:

            def forward(text: Tensor, kind: torch.dtype = kind) -> Tensor:
                return self._outputs(self._inputs(text, real, kind, one=one))

            try:
                change = padded_influence(forward, base, other, real)
            except FAILURES:
                continue
            return change if math.isfinite(change) else None
        return None

    def _outputs(self, inputs: Mapping[str, Any]) -> Tensor:
        """The outputs [P, F] of one row: by position where the text with the mask has as many."""
        outputs = self.steady.outputs(inputs)[0]
        if self.text.name != self.steady.text.name:
            return outputs.reshape(1, -1)  # the padding is in another text: all of it is real
        return outputs.T if outputs.shape == (1, self.length) and self.numbers else outputs

    @cached_property
    def numbers(self) -> bool:
        """Whether the result is one number for each token [B, T], and not as wide by chance."""
        for length in SHORT:
            if length == self.length:
                continue
            with suppress(*FAILURES):
                inputs = self.steady.specimen.make_inputs(2, length, self.steady.seed)
                return tuple(self.steady.outputs(inputs).shape[1:]) == (1, length)
        return False

    def _texts(self) -> tuple[Tensor, Tensor]:
        return two_texts(self.steady.specimen, self.text, self.length, self.steady.seed)

    def _inputs(
        self, text: Tensor, real: Tensor, kind: torch.dtype, *, one: bool
    ) -> dict[str, Any]:
        rows = text.expand(2, *text.shape)
        mask = (real if one else ~real).expand(2, -1).to(kind)
        if self.text.batch_dimension == 1 and "key" not in self.name:
            mask = mask.t()
        inputs = with_text(self.steady.specimen, self.text, rows, self.steady.seed)
        return {**inputs, self.name: mask.contiguous()}

    def place(self, side: str, *, one: bool) -> FlowPlace | None:
        """Where padding on this side reaches real tokens."""
        real = _real(side, self.length)
        base, other = self._texts()
        for kind in KINDS:
            inputs = self._inputs(base, real, kind, one=one)
            try:
                ends = self._outputs(inputs).shape[0] == self.length
                padded = exchanged(base, other, real, ends=ends)
                changed = self._inputs(padded, real, kind, one=one)
            except FAILURES:
                continue
            changed[self.name] = inputs[self.name]
            all_real = self._inputs(base, torch.ones_like(real), kind, one=one)
            return padding_place(self.steady, inputs, changed, all_real, real, self.name)
        return None


def measured_with_ids(specimen: Specimen) -> Padding:
    """The same where the model finds padding by itself, as one id of its text."""
    steady = Steady(specimen, specimen.seed)
    found = padding_ids(steady)
    if not found:
        raise Abstention("the call takes no mask of padding")
    if _gives_the_last(specimen):
        raise Abstention("the last position alone has outputs, and padding would come after it")
    steady.settle()
    if steady.random:
        raise Abstention("outputs differ by chance")
    measured = [_with_id(steady, padding) for padding in found]
    return next((one for one in measured if one.leaking_side is not None), measured[0])


def _with_id(steady: Steady, padding: PaddingId) -> Padding:
    """One input, padded on the right with the id that stands for padding."""
    text = PaddedText(steady, padding)
    influence = _appended(text)
    found = Padding(
        mask=padding.name,
        length=text.length + PADDED,
        least_influence=steady.least,
        promised="one",
        sides=(PaddedSide(side="right", padded=PADDED, real_is_one=influence, real_is_zero=None),),
        seeds_leaking=0,
        place=None,
        pad_id=padding.id,
    )
    if influence is None:
        raise Abstention(f"{padding.name} could not be padded with the id {padding.id}")
    if found.leaking_side is None:
        return found
    _refuse_other_causes(steady)
    seeds = 1
    for step in range(1, SEEDS):
        other = steady.like(steady.seed + 100 * step, steady.specimen.copy())
        moved = _appended(PaddedText(other, padding))
        seeds += moved is not None and moved > steady.least
    place, turned = text.place(PADDED)
    return replace(found, seeds_leaking=seeds, place=place, hides_real=turned)


def _appended(text: PaddedText) -> float | None:
    """The influence of padding behind a text; None: it cannot be measured."""
    try:
        change = appended_influence(text.outputs, text.real(), text.padding_of(PADDED))
    except FAILURES:
        return None
    return change if math.isfinite(change) else None


def _gives_the_last(specimen: Specimen) -> bool:
    """Whether the outputs are logits of the last position alone, whatever token is there."""
    construction = specimen.construction
    return LAST_ONLY in construction.returns and construction.length > 1


def _real(side: str, length: int) -> Tensor:
    """Which of T tokens are no padding [T]."""
    at = torch.arange(length)
    return at >= PADDED if side == "left" else at < length - PADDED


PROBE = Probe(name="padding", order=33, measure=measure)
