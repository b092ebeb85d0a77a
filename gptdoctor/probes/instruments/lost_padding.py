"""Where padded tokens reach the outputs of real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.blame import flow_place, record
from gptdoctor.probes.instruments.leaks import Comparison, Sizes, differs, positions_where, twins
from gptdoctor.probes.instruments.mask_origins import TURNING, ancestors
from gptdoctor.probes.instruments.masks import hides, masks_of, plain_values, softening
from gptdoctor.probes.instruments.nearby_statements import (
    assignment_of_passed,
    local_assignment,
    made_without,
)
from gptdoctor.probes.instruments.operations import Operation, Recording
from gptdoctor.probes.instruments.steady import Steady


def padding_place(
    steady: Steady,
    inputs: Mapping[str, Any],
    changed: Mapping[str, Any],
    unmasked: Mapping[str, Any],
    real: Tensor,
    name: str,
) -> FlowPlace | None:
    """The statement that lacks the mask `name`, for inputs that differ in padded tokens alone.

    Where the mask came to the attention and hid the wrong tokens: what turned it, or what made
    the same of it as of `unmasked`, whose mask hides nothing.
    """
    batch = inputs[steady.text.name].shape[steady.text.batch_dimension]
    sizes = Sizes(batch, real.shape[0], steady.text.batch_dimension == 1)
    form = positions_where(real, sizes)
    first = record(steady, dict(inputs))
    operation = Comparison(first, record(steady, dict(changed)), form, form).offender()
    if operation is None:
        return None
    softmax = softening(operation, first) or operation
    given = [number for number, each in first.given.items() if each == name]
    derived = first.derived_from(given)
    if derived & _reaching(softmax, first) and not _has_another(softmax, derived, first):
        lost = _deaf(first, record(steady, dict(unmasked)), softmax)
        if lost is not None:
            return flow_place(lost.place, lost.name)
        return _turned(first, derived, softmax)
    return flow_place(lacking(softmax, derived, first, steady), softmax.name)


def _has_another(attention: Operation, mask: frozenset[int], recording: Recording) -> bool:
    """Whether what hides positions from an attention holds nothing of a mask.

    What it holds of the mask in another way, as a bias by distance does, hides nothing.
    """
    masks = masks_of(attention, recording, plain_values(recording))
    hiding = {each for each in masks if hides(recording.values[each])}
    return bool(hiding) and not hiding & mask


def lacking(
    attention: Operation, mask: frozenset[int], recording: Recording, steady: Steady
) -> Place | None:
    """The innermost statement that had a mask of padding at hand and gave the attention another.

    Where that other is no more than a copy of a third, the copying; where it is None, or a function
    made it and was not given the one at hand, the making.
    """
    plain = plain_values(recording)
    used = set(masks_of(attention, recording, plain))
    near = {each for each in mask & plain if hides(recording.values[each])} or mask
    root = steady.specimen.root
    for place, held in attention.holding:
        at_hand = {each for each, number in held.items() if number in near}
        if not at_hand:
            continue
        for each in (each for each, number in held.items() if number in used):
            line = local_assignment(place, each, root, copied=True)
            line = line or made_without(place, each, at_hand, root)
            if line is not None:
                return replace(place, line=line)
        absent = [name for where, name in attention.absent_masks if where == place]
        line = assignment_of_passed(place, absent, root)
        return place if line is None else replace(place, line=line)
    return attention.place


def _deaf(first: Recording, unmasked: Recording, attention: Operation) -> Operation | None:
    """The first operation on the way of a mask that makes the same of two that differ."""
    others = twins(first, unmasked)
    masks = masks_of(attention, first, plain_values(first))
    behind = ancestors(masks, first)
    for operation in first.operations:
        twin = others.get(id(operation))
        if operation not in behind or twin is None or operation.place is None:
            continue
        pairs = zip(operation.inputs, twin.inputs, strict=False)
        heard = any(differs(first.values[one], unmasked.values[other]) for one, other in pairs)
        results = zip(operation.results, twin.results, strict=False)
        if heard and not any(differs(one, other) for one, other in results):
            return operation
    return None


def _reaching(operation: Operation, recording: Recording) -> frozenset[int]:
    """The values that an operation was computed from, a few steps back."""
    found = set(operation.inputs)
    for _ in range(8):
        for number in list(found):
            maker = recording.maker.get(number)
            found |= set(maker.inputs) if maker is not None else set()
    return frozenset(found)


def _turned(recording: Recording, derived: frozenset[int], softmax: Operation) -> FlowPlace | None:
    """The operation that made of the mask what it must not be: the last that turns or applies."""
    index = recording.operations.index(softmax)
    using = [
        operation
        for operation in recording.operations[:index]
        if derived & set(operation.inputs) and operation.place is not None
    ]
    turning = [operation for operation in using if TURNING.fullmatch(operation.name)]
    chosen = next(iter([*turning, *using]), softmax)
    return flow_place(chosen.place, chosen.name)
