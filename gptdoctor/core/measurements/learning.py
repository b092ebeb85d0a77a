"""Whether some steps on one small batch bring the loss down."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class LearningRun:
    """One optimization from the same start."""

    learning_rate: float
    first_loss: float  # nats
    best_loss: float  # nats
    steps: int  # taken
    steps_to_tenth: int | None  # steps until the loss was below a tenth of its start


@dataclass(frozen=True, kw_only=True)
class Learning(Measurement):
    """Probe learning: Adam on one batch of tokens with distinct prefixes."""

    objective: str  # "own loss", "shifted cross-entropy", "exchanged rows"
    batch: int
    length: int
    runs: tuple[LearningRun, ...]
    milliseconds_per_step: float  # forward, backward and update, one CPU thread, median
    crash: Crash | None  # in forward, backward or step
