"""Calls whose mask leaves some queries nothing to see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.odd_inputs import HiddenTokens
from gptdoctor.probes.instruments.forwards import forward_of
from gptdoctor.probes.instruments.nan_watch import NanWatch
from gptdoctor.probes.instruments.padding_ids import padding_ids
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.weights import jitter
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.specimen import Specimen

_MASK = re.compile(r"(?:attention|attn|input|src|text|token)?_?(?:key_)?(?:pad|padding)?_?mask")
_OTHER = re.compile(r".*(?:causal|look|tgt|memory|loss|label|image|pixel).*")
JITTER = 0.05  # small initial weights hide what a hidden token does
_PADDED = 2  # tokens at the beginning of row 0
_SAME = 1e-5  # fp32 noise is 3.3e-7 of the largest logit; what a hidden token does is 7e-4 and up


@dataclass(frozen=True, kw_only=True)
class Mask:
    """A parameter that hides tokens [B, T], and with which values."""

    name: str
    keeps: Any  # 1 or True, or False where True hides
    dtype: torch.dtype

    @property
    def code(self) -> str:
        """Code that makes the mask of `hidden`."""
        if self.dtype == torch.long:
            return "(~hidden).long()"
        return "~hidden" if self.keeps else "hidden"

    def hiding(self, hidden: Tensor) -> Tensor:
        """The mask that hides the tokens [B, T] that are True in `hidden`."""
        kept = ~hidden if self.keeps else hidden
        return kept.to(self.dtype)

    def given(self, inputs: Mapping[str, Any], hidden: Tensor) -> Tensor:
        """What is given for the parameter, beside these inputs."""
        return self.hiding(hidden)


@dataclass(frozen=True, kw_only=True)
class PaddingToken:
    """An input of ids [B, T] in which the model itself finds padding, and hides it."""

    name: str
    id: int

    @property
    def code(self) -> str:
        """Code that makes the ids of `hidden`."""
        return f"{self.name}.masked_fill(hidden, {self.id})"

    def given(self, inputs: Mapping[str, Any], hidden: Tensor) -> Tensor:
        """The input of the same name, with padding for what is hidden, and nowhere else."""
        ids: Tensor = inputs[self.name]
        other = self.id - 1 if self.id else 1
        return ids.masked_fill(ids == self.id, other).masked_fill(hidden, self.id)


def spoiled(
    logits: Tensor, hidden: Tensor, parameters: Mapping[str, nn.Parameter]
) -> tuple[int, int]:
    """How many tokens that are not hidden have logits [B, T, V] that are no numbers, and how many
    parameters get a gradient that is none from the rest.

    `hidden` [B, T] is True for tokens that the objective leaves out, as a loss would.
    """
    broken = ~logits.isfinite().all(dim=-1) & ~hidden  # [B, T]
    kept = logits[~hidden & ~broken]
    if not kept.numel() or not kept.requires_grad:
        return int(broken.sum()), 0
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(kept.shape, generator=generator).to(kept)
    wanting = [each for each in parameters.values() if each.requires_grad]
    gradients = torch.autograd.grad((kept * weights).sum(), wanting, allow_unused=True)
    found: list[Tensor | None] = list(gradients)
    lost = [each for each in found if each is not None and not each.isfinite().all()]
    return int(broken.sum()), len(lost)


def find_mask(specimen: Specimen) -> Mask | None:
    """The mask over tokens that the entry takes, if it does what such a mask is for."""
    recipe = specimen.recipe
    names = [slot.name for slot in recipe.slots if slot.kind == "mask"] if recipe else []
    for name in names:
        if not _MASK.fullmatch(name.lower()) or _OTHER.fullmatch(name.lower()):
            continue
        for keeps, dtype in ((1, torch.long), (True, torch.bool), (False, torch.bool)):
            mask = Mask(name=name, keeps=keeps, dtype=dtype)
            if _hides(specimen, mask):
                return mask
    return None


def find_padding(specimen: Specimen) -> PaddingToken | None:
    """The other text than the one that the outputs continue in which the model finds padding."""
    construction = specimen.construction
    steady = Steady(specimen, specimen.seed)
    inputs = specimen.inputs()
    for one in padding_ids(steady):
        shape = tuple(inputs[one.name].shape)
        if one.name != steady.text.name and shape == (construction.batch, construction.length):
            return PaddingToken(name=one.name, id=one.id)
    return None


def _hides(specimen: Specimen, mask: Mask) -> bool:
    """Whether hiding nothing changes nothing, and hiding a token changes its own row alone."""
    construction = specimen.construction
    inputs = specimen.inputs()
    nothing = torch.zeros(construction.batch, construction.length, dtype=torch.bool)
    one = nothing.clone()
    one[0, construction.length // 2] = True
    model = jitter(specimen.copy().eval(), JITTER, specimen.seed)
    forward = forward_of(specimen, model)
    plain = {name: value for name, value in inputs.items() if name != mask.name}
    try:
        with torch.no_grad():
            full = forward({**plain, mask.name: mask.hiding(nothing)})
            hidden = forward({**plain, mask.name: mask.hiding(one)})
            bare = full if mask.name in inputs else forward(plain)
    except FAILURES:
        return False
    if not full.isfinite().all() or full.shape != hidden.shape or full.shape != bare.shape:
        return False
    scale = full.abs().max()
    moved = ((hidden - full).abs() > _SAME * scale).flatten(1).any(dim=1)
    same = not bool(((full - bare).abs() > _SAME * scale).any())
    return same and bool(moved[0]) and not bool(moved[1:].any())


def hidden_calls(specimen: Specimen, mask: Mask | PaddingToken) -> Iterator[HiddenTokens]:
    """What hiding the first tokens of a row, and all of another, does to the rest."""
    construction = specimen.construction
    none = torch.zeros(construction.batch, construction.length, dtype=torch.bool)
    left, row = none.clone(), none.clone()
    left[0, :_PADDED] = True
    row[0] = True
    for words, hidden in (("the first tokens of a row", left), ("a whole row", row)):
        if not hidden.all():
            yield _call(specimen, mask, hidden, words)


def _call(
    specimen: Specimen, mask: Mask | PaddingToken, hidden: Tensor, words: str
) -> HiddenTokens:
    model = jitter(specimen.copy(), JITTER, specimen.seed)
    watch = NanWatch(specimen.root)
    inputs = specimen.inputs()
    with watch:
        logits = forward_of(specimen, model)({**inputs, mask.name: mask.given(inputs, hidden)})
    parameters = dict(model.named_parameters())
    positions, lost = spoiled(logits, hidden, parameters)
    return HiddenTokens(
        mask=mask.name,
        made=mask.code,
        hidden=words,
        spoiled_positions=positions,
        spoiled_parameters=lost,
        parameters=len(parameters),
        place=watch.emptied or watch.spoiled,
        padding=mask.id if isinstance(mask, PaddingToken) else None,
    )
