"""What batch and length do to the forward pass."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class ShapeCase:
    """One forward pass at batch B and length T."""

    batch: int
    length: int
    outcome: str  # "ok", "crash", "wrong-shape"
    logits_shape: tuple[int, ...] | None
    crash: Crash | None


@dataclass(frozen=True, kw_only=True)
class TransposeWarning:
    """torch warned that `.T` reverses all dimensions of a tensor that is not a matrix."""

    path: str
    symbol: str
    line: int
    dimensions: int  # of the tensor; 0: not known


@dataclass(frozen=True, kw_only=True)
class Shapes(Measurement):
    """Probe shapes: B, T and every width are pairwise different, then equal, then one."""

    cases: tuple[ShapeCase, ...]
    transpose_warnings: tuple[TransposeWarning, ...]
    # At B = T: largest change of row 0's logits when only the other rows' inputs change,
    # relative to the largest logit. None: not measured.
    row_influence: float | None

    def failing_batches(self) -> tuple[tuple[ShapeCase, ShapeCase], ...]:
        """Each case whose batch makes the user's code crash, with one of its length that works.

        A length may be refused: a model may want whole chunks, or no more than it has positions
        for.  A single position leaves no loss.
        """
        works = {case.length: case for case in self.cases if case.outcome == "ok"}
        return tuple(
            (case, works[case.length])
            for case in self.cases
            if case.crash is not None and case.crash.own
            if case.length > 1 and case.length in works
        )
