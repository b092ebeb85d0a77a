"""Angles of positions that functions compute in each call, and that nothing is made of."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gptdoctor.probes.instruments.blame import record
from gptdoctor.probes.instruments.masks import plain_values
from gptdoctor.probes.instruments.noticed import is_run
from gptdoctor.probes.instruments.operations import Operation, Recording
from gptdoctor.probes.instruments.steady import Steady

_TURNING = frozenset({"cos", "sin", "polar"})


def unused_angles(steady: Steady) -> bool:
    """Whether sines and cosines of positions are computed, and meet nothing of what tokens say.

    Layers that leave them out are common, where others take them.
    """
    inputs = steady.specimen.inputs()
    if not is_run(steady, inputs, _turns):
        return False
    length = known_length(steady)
    recording = record(steady, inputs)
    made = {number for one in angles(recording, length) for number in one.outputs}
    said = frozenset(recording.values) - plain_values(recording)
    return bool(made) and not said.intersection(recording.derived_from(made))


def known_length(steady: Steady) -> int:
    """T of the known call."""
    return steady.text.rows(steady.specimen.inputs()[steady.text.name]).shape[1]


def angles(recording: Recording, length: int) -> list[Operation]:
    """The operations that make sines and cosines along `length` positions, of no trained weight."""
    plain = plain_values(recording)
    return [
        one
        for one in recording.operations
        if one.name in _TURNING and one.place is not None and plain.issuperset(one.outputs)
        if any(length in each.shape and not each.requires_grad for each in one.results)
    ]


def _turns(name: str, args: tuple[Any, ...], result: Any) -> bool:
    return name in _TURNING and isinstance(result, Tensor) and not result.requires_grad
