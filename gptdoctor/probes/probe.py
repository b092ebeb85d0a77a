"""The form that every probe fills in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.specimen.specimen import Specimen


class Abstention(Exception):
    """Raised by a probe that cannot measure this specimen; its text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One probe. The value `PROBE` of each module in `probes/` is one of these.

    `name` is the module's name with "-" for "_" and names the measurement's class as well.
    """

    name: str
    order: int  # cheap and telling ones first: a late crash loses less
    measure: Callable[[Specimen], Measurement]
    # Whether the lines that run are recorded: not where thousands of calls would pay for it.
    records_lines: bool = True
    # Whether `--fast` runs it: cheap, and telling of what keeps a model from learning.
    fast: bool = False
    # After so long it is ended, and is not measured: three times what the slowest of 180 models
    # may take of the 6 s for all probes.
    seconds: float = 20.0
