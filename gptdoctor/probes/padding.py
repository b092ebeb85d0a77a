"""Probe padding: whether what a mask hides moves the outputs of what it does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from gptdoctor.core.measurements.information import SEEDS
from gptdoctor.core.measurements.padding import PaddedSide, Padding
from gptdoctor.probes.instruments.blame import CHOOSING
from gptdoctor.probes.instruments.lengths import SHORT, works_at
from gptdoctor.probes.instruments.masked_text import PADDED, WIDER, MaskedText
from gptdoctor.probes.instruments.padding_ids import PaddedText, PaddingId, padding_ids
from gptdoctor.probes.instruments.positions import orders_itself
from gptdoctor.probes.instruments.requirements import require_any_size, require_forward
from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.probes.instruments.token_masks import (
    mask_names,
    masked_text,
    promise_of,
    said_of,
    says_unused,
)
from gptdoctor.probes.instruments.ways import without_capacity
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.outputs import gives_the_last
from gptdoctor.specimen.specimen import Specimen


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
    leaks: list[tuple[MaskedText, PaddedSide, Padding]] = []
    for name in names:
        masked = MaskedText(steady, masked_text(specimen, name, steady.text), name, length)
        if leaks and masked.text.name != leaks[0][0].text.name:
            continue  # of another text: it says nothing of this one
        found = _hidden(masked)
        if found is not None and found.leaking_side is None:
            return found
        if found is not None and found.leaking_side is not None:
            leaks.append((masked, found.leaking_side, found))
    if leaks:
        return _confirmed(*leaks[0])
    found = _in_wider_form(steady, names, length)
    if found is None:
        raise Abstention(f"no mask over the tokens could be given as {names[0]}")
    return found


def _in_wider_form(steady: Steady, names: list[str], length: int) -> Padding | None:
    """What a mask hides that is not over the tokens but over what attends to them.

    None also where it hides nothing and no words say what its numbers mean: it may be one that is
    added to scores, or want to be written in yet another way.
    """
    for name in names:
        text = masked_text(steady.specimen, name, steady.text)
        said = said_of(steady.specimen, name)
        for form in WIDER:
            masked = MaskedText(steady, text, name, length, form)
            found = _hidden(masked)
            if found is None:
                continue
            if found.leaking_side is None:
                return found
            if said:
                return _confirmed(masked, found.leaking_side, found)
    return None


def _hidden(masked: MaskedText) -> Padding | None:
    """What one mask hides on both sides; None where it could not be given."""
    sides = tuple(masked.side(side) for side in ("left", "right"))
    if all(side.real_is_one is None and side.real_is_zero is None for side in sides):
        return None
    return Padding(
        mask=masked.name,
        form=masked.form,
        length=masked.length,
        least_influence=masked.steady.least,
        promised=promise_of(masked.steady.specimen, masked.name),
        sides=sides,
        seeds_leaking=0,
        place=None,
    )


def _confirmed(masked: MaskedText, leaking: PaddedSide, found: Padding) -> Padding:
    """The same with other seeds, and the place; Abstention where it may be meant."""
    steady = masked.steady
    specimen = steady.specimen
    if says_unused(specimen, masked.name):
        raise Abstention(f"its documentation says that {masked.name} is not used")
    _refuse_other_causes(steady)
    seeds = 1
    for step in range(1, SEEDS):
        other = steady.like(steady.seed + 100 * step, specimen.copy())
        again = replace(masked, steady=other).side(leaking.side)
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


def measured_with_ids(specimen: Specimen) -> Padding:
    """The same where the model finds padding by itself, as one id of its text."""
    steady = Steady(specimen, specimen.seed)
    found = padding_ids(steady)
    if not found:
        raise Abstention("the call takes no mask of padding")
    if gives_the_last(specimen.construction):
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


PROBE = Probe(name="padding", order=33, measure=measure)
