"""One text of which a mask hides the padding, and how far what is hidden moves the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.core.measurements.padding import PaddedSide
from gptdoctor.probes.instruments.lengths import SHORT
from gptdoctor.probes.instruments.lost_padding import padding_place
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.texts import Text, two_texts, with_text
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.outputs import gives_the_last

PADDED = 3  # tokens, of 7 or so
KINDS = (torch.long, torch.bool, torch.float32)  # of numbers that masks are made of
TOKENS = "tokens"  # [B, T], the usual form
# [B, 1, T] and [B, 1, 1, T] over the keys, and [B, T, T] with the causal mask in it.
WIDER = ("keys", "keys of heads", "queries and keys")


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


def shaped(real: Tensor, form: str) -> Tensor:
    """A mask for two rows in one of the forms, True for what is seen, from `real` [T]."""
    if form == TOKENS:
        return real.expand(2, -1)
    length = len(real)
    if form == "queries and keys":
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        itself = torch.eye(length, dtype=torch.bool)  # padding that sees nothing is no number
        return ((real & causal) | itself).expand(2, -1, -1)
    return real.expand(2, 1, -1) if form == "keys" else real.expand(2, 1, 1, -1)


def exchanged(base: Tensor, other: Tensor, real: Tensor, *, ends: bool) -> Tensor:
    """`base` [T, ...] with the padding of `other`; without `ends`, not at both ends."""
    kept = real.clone()
    if not ends:
        kept[[0, -1]] = True
    return torch.where(kept.reshape(-1, *[1] * (base.dim() - 1)), base, other)


@dataclass(frozen=True)
class MaskedText:
    """A steady model with a mask over one of its texts."""

    steady: Steady
    text: Text
    name: str  # of the mask
    length: int
    form: str = TOKENS

    def side(self, side: str) -> PaddedSide:
        """The influence of padding on one side, under the mask and under its opposite.

        Not measured on the right where the last position alone has outputs: they are padding's own.
        """
        if side == "right" and gives_the_last(self.steady.specimen.construction):
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
        seen = shaped(real, self.form)
        mask = (seen if one else ~seen).to(kind)
        if self.form == TOKENS and self.text.batch_dimension == 1 and "key" not in self.name:
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


def _real(side: str, length: int) -> Tensor:
    """Which of T tokens are no padding [T]."""
    at = torch.arange(length)
    return at >= PADDED if side == "left" else at < length - PADDED
