"""What one forward and one backward pass came to."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Backward(Measurement):
    """Probe backward: the loss of the specimen's own call, and who hears of it."""

    objective: str  # "own loss", "shifted cross-entropy", "exchanged rows"
    loss: float | None  # nats; None: the forward pass crashed
    parameters: int  # tensors that ask for a gradient
    reached: int  # of them, those that got one
    finite: bool  # the loss and all gradients are
    crash: Crash | None  # in forward or backward
