"""Whether some steps on one small batch bring the loss down."""

from __future__ import annotations

import math
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
    stays_finite: bool = True  # the last loss that was seen is


@dataclass(frozen=True, kw_only=True)
class Bottleneck:
    """The operation that keeps the gradient from most of the parameters."""

    operation: str  # "mul", "relu"
    share: float  # norm of the gradient that it passes on, of that which it is told
    path: str  # "": not in the user's code
    symbol: str
    line: int | None


@dataclass(frozen=True, kw_only=True)
class Learning(Measurement):
    """Probe learning: Adam on one batch of tokens with distinct prefixes."""

    objective: str  # "own loss", "shifted cross-entropy", "exchanged rows"
    batch: int
    length: int
    runs: tuple[LearningRun, ...]
    milliseconds_per_step: float  # forward, backward and update, one CPU thread, median
    crash: Crash | None  # in forward, backward or step
    # Looked for where no run makes progress; None: there is none, or nobody looked.
    bottleneck: Bottleneck | None = None

    @property
    def progress(self) -> float | None:
        """The share of the first loss that the best run took off it; None: no step was possible.

        Of the loss's size where that is negative.
        """
        runs = [run for run in self.runs if run.steps and math.isfinite(run.first_loss)]
        if self.crash is not None or not runs:
            return None
        best = min(run.best_loss for run in runs)
        first = runs[0].first_loss
        return (first - best) / abs(first) if first else 0.0
