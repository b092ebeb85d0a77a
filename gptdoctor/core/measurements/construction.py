"""How the tiny instance was built and called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class InputFact:
    """One input of the specimen's call."""

    name: str  # of the parameter
    kind: str  # "ids", "labels", "image", "audio", "features", "mask", "positions", "other"
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SizedCrash:
    """The user's code failed at sane sizes, though it may work at others."""

    build: str  # code that made the instance, or was to make it
    call: str  # "" where it was not made
    sizes: Mapping[str, int]  # by what they measure: "width", "heads", "batch", "length"
    crash: Crash


@dataclass(frozen=True, kw_only=True)
class Construction(Measurement):
    """Probe construction: three outcomes that are kept apart.

    `built`: an instance exists. `crashed`: the user's code failed at sane sizes (`crash`).
    `not-built`: the tool did not find out how to build it (`tried` says what it attempted).
    """

    outcome: str  # "built", "crashed", "not-built"
    build: str  # code that a user can paste
    call: str
    entry: str
    parameters: int
    vocabulary: int
    batch: int  # B of the call that works, preferably unlike T
    length: int  # T
    inputs: tuple[InputFact, ...]
    optional_inputs: tuple[InputFact, ...]  # accepted, and not needed by the call
    returns: str  # "logits", "logits and loss", "dict with logits", "nothing usable"
    crash: Crash | None
    tried: tuple[str, ...]
    # At which sane sizes the code crashes, also where the model was built with others.
    failures: tuple[SizedCrash, ...] = ()
