"""What a module answers when it is given nothing."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class EmptyCall:
    """One call, with no input, of a module all of whose inputs are optional."""

    path: str
    symbol: str  # "OmniInputEncoder.forward"
    line: int  # of its definition
    inputs: tuple[str, ...]  # the names it accepts
    outcome: str  # "raised", "returned"
    returned: str  # type of what it returned, "" when it raised
    crash: Crash | None  # what it raised
    call: str = ""  # as code, of `model`


@dataclass(frozen=True, kw_only=True)
class EmptyInputs(Measurement):
    """Probe empty-inputs."""

    calls: tuple[EmptyCall, ...]
