"""What a model answers to inputs that it cannot mean to take."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class MissingInput:
    """The known call without one of its inputs that may be left out."""

    name: str
    crash: Crash | None  # None: it returned
    call: str = ""  # as code, of `model`, `ids`, B, T and V


@dataclass(frozen=True, kw_only=True)
class StrangeId:
    """The known call with one id that is no token."""

    token: int
    vocabulary: int
    crash: Crash | None
    # What the code silently reads in its place: then the logits are those of this token.
    read_as: int | None
    operation: str  # that puts it there: "clamp", "remainder", "indexing"; "": none was seen
    place: Place | None  # of that operation


@dataclass(frozen=True, kw_only=True)
class OverlongInput:
    """A call with more positions than the model says it takes."""

    longest: int
    declared: str  # the name that says so: "block_size"
    length: int  # of the call
    positions: int | None  # of the logits that came back; None: none did
    crash: Crash | None
    operation: str  # that made the positions fit: "clamp", "remainder", "a slice"; "": none
    place: Place | None
    # It fails at twice the length as well, and not at the longest: the limit is what it runs into.
    only_beyond: bool = False
    entry_place: Place | None = None  # the statement of the entry on the way to the crash


@dataclass(frozen=True, kw_only=True)
class HiddenTokens:
    """A call whose mask hides the first tokens of a row, or all of another.

    Or whose text has padding there, of which the model makes a mask itself.
    """

    mask: str  # the parameter
    made: str  # code that makes it of `hidden`: "(~hidden).long()"
    hidden: str  # "the first tokens of a row", "a whole row"
    # Logits of tokens that are not hidden, which are no numbers.
    spoiled_positions: int
    # Parameters whose gradient is no number, of an objective on tokens that are not hidden.
    spoiled_parameters: int
    parameters: int
    place: Place | None  # that leaves a query nothing to see, or first gives what is no number
    padding: int | None = None  # the id that stands for padding; None: a mask is given


@dataclass(frozen=True, kw_only=True)
class OddInputs(Measurement):
    """Probe odd-inputs; what could not be tried is None, or not among them."""

    missing: tuple[MissingInput, ...]
    strange: tuple[StrangeId, ...]
    overlong: OverlongInput | None
    empty: Crash | None = None  # what a text of no tokens raises
    masked: tuple[HiddenTokens, ...]
