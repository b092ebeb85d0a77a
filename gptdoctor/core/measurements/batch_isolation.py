"""What the rows of a batch do to each other's outputs."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class BatchIsolation(Measurement):
    """Probe batch-isolation: in evaluation, changes relative to the largest output."""

    batch: int  # B
    length: int  # T
    least_influence: float  # what counts as no noise
    least_against_one: float  # the same where batches of other sizes are compared
    from_others: float  # of row 0, when all other rows are exchanged
    to_others: float  # of the other rows, when row 0 is exchanged
    against_one: float | None  # of row 0, when it is alone; None: not measured
    # Where rows mix: with how many of 3 seeds, and at how many lengths.
    seeds_leaking: int
    lengths_leaking: int
    lengths_compared: int
    place: FlowPlace | None  # the first operation that mixes them
