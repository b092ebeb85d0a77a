"""All that one worker job tells of one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.specimens import ModelTarget

_Kind = TypeVar("_Kind", bound=Measurement)
# How the reason begins where the time of a probe ran out: that says nothing lasting of a model.
OUT_OF_TIME = "it took over"


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """A probe that could not run, and why. It never counts as passed."""

    probe: str
    reason: str
    seconds: float = field(default=0.0, compare=False)  # of the processor, until that was known


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one probe measured, and the user's lines that ran meanwhile."""

    probe: str
    measurement: Measurement
    executed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # path -> lines
    seconds: float = field(default=0.0, compare=False)  # of the processor, that the probe took

    def ran(self, path: str, first: int, last: int) -> bool:
        """Whether a line of `path` from `first` to `last`, both included, was run."""
        return any(first <= line <= last for line in self.executed.get(path, ()))


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the worker's child came to its end."""

    # "finished", "timeout", "exit", "signal", "not-started", or "broken": the process that watches
    # over it was lost, or what it said was no message.
    kind: str
    stage: str  # the last thing it announced: "import", "construction", a probe's name
    detail: str  # "SIGSEGV", "status 0", "60 s", why it was not started


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """The measurements of one model, as far as they came before the child ended."""

    target: ModelTarget
    measured: tuple[Measured, ...]
    unmeasured: tuple[Unmeasured, ...]
    ending: Ending
    output: str  # what the user's code printed, the first 64 KiB
    seconds: float
    torch: str | None
    python: str
    unlimited: tuple[str, ...] = ()  # limits that the system it ran on cannot keep, in words
    cached: bool = False  # told by an earlier run

    def told(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """The measurements of one kind, first to last."""
        for one in self.measured:
            if isinstance(one.measurement, kind):
                yield one.measurement
