"""What a long work tells while it goes on. The checkup sends these; report draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ScanStarted:
    """The text of `files` source files is about to be read."""

    files: int


@dataclass(frozen=True)
class ScanFinished:
    """The text has been read."""

    suspicions: int


@dataclass(frozen=True)
class ModelStarted:
    """A specimen of this model is about to be built."""

    path: str
    name: str


@dataclass(frozen=True)
class ProbeStarted:
    """One probe begins on this model."""

    path: str
    name: str
    probe: str


@dataclass(frozen=True)
class ModelFinished:
    """This model has told all that it can."""

    path: str
    name: str


@dataclass(frozen=True)
class ProofStarted:
    """A fix is being proven: number `index` of `total`, with those that follow it."""

    rule: str
    path: str
    index: int
    total: int
    together: int = 1  # fixes that are proven at once


@dataclass(frozen=True)
class Trouble:
    """Something that does not change the result went wrong; one sentence."""

    text: str


Event = (
    ScanStarted
    | ScanFinished
    | ModelStarted
    | ProbeStarted
    | ModelFinished
    | ProofStarted
    | Trouble
)
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener of a caller that does not want to hear."""
