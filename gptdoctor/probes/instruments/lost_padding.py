"""Where padded tokens reach the outputs of real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.probes.instruments.blame import flow_place, record
from gptdoctor.probes.instruments.leaks import Comparison, Sizes, positions_where
from gptdoctor.probes.instruments.mask_origins import TURNING
from gptdoctor.probes.instruments.masks import softening
from gptdoctor.probes.instruments.operations import Operation, Recording
from gptdoctor.probes.instruments.steady import Steady


def padding_place(
    steady: Steady, inputs: Mapping[str, Any], changed: Mapping[str, Any], real: Tensor, name: str
) -> FlowPlace | None:
    """The statement that lacks the mask `name`, for inputs that differ in padded tokens alone.

    Where the mask came to the attention and hid the wrong tokens: what turned it.
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
    if derived & _reaching(softmax, first):
        return _turned(first, derived, softmax)
    for place, numbers in softmax.holding:
        if derived & numbers:
            return flow_place(place, softmax.name)
    return flow_place(softmax.place, softmax.name)


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
