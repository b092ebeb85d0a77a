"""What differs between equal calls in evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class KeptState:
    """Something that a call leaves on a module, and that moves the outputs of the next one."""

    module: str  # its dotted name in the model, "" for the model itself
    name: str  # of the attribute or buffer
    place: FlowPlace | None  # the line that writes it


@dataclass(frozen=True, kw_only=True)
class RepeatedCalls(Measurement):
    """Probe repeated-calls: changes relative to the largest output."""

    least_change: float  # what counts as no noise
    after_another_call: float  # f(x), f(y), f(x): between the first and the third
    with_equal_numbers: float  # between two fresh copies, with equal random numbers
    with_other_numbers: float  # the same with other random numbers
    seeds_changing: int  # with how many of 3 seeds the same is there; 0: nothing differs
    chance: FlowPlace | None  # the first operation that gives another result for equal inputs
    states: tuple[KeptState, ...]
    resets: tuple[str, ...]  # methods by which the model promises to forget
