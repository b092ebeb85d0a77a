"""Whether units that start alike stay alike."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class SymmetricParameter:
    """A matrix whose rows were equal at first and are so after some steps."""

    name: str
    shape: tuple[int, ...]
    value: float  # of its first number, as built
    moved: bool  # the steps changed it, all rows alike; False: its gradient is zero
    path: str  # of the line that fills it, or makes it; "": not known
    symbol: str
    line: int | None


@dataclass(frozen=True, kw_only=True)
class Symmetry(Measurement):
    """Probe symmetry: the matrices with equal rows, before and after some steps of descent."""

    alike_as_built: int  # matrices with equal rows before the first step
    steps: int
    symmetric: tuple[SymmetricParameter, ...]  # those that still have them
