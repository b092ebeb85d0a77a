"""What a fix promises, what it would write, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gptdoctor.core.cells import CellLine

# A pass at full size takes as long as all other probes together, and a repair changes no size:
# single fixes are proven without it, and all of them together are examined with it at the end.
NOT_IN_PROOFS = ("full-size",)


class Applicability(str, Enum):
    """How far a fix may go by itself."""

    SAFE = "safe"  # the defect is confirmed and right code keeps its meaning
    UNSAFE = "unsafe"  # it guesses an intent, or the defect is only suspected
    DISPLAY = "display"  # shown, never written


@dataclass(frozen=True, kw_only=True)
class FixPromise:
    """What a defect says of the codemod of the same name, for a confirmed instance."""

    applicability: Applicability
    title: str  # imperative: "Remove the decorator"
    safety: str  # one or two sentences: when the edit is safe and when it is a guess
    order: int  # fixes are planned by this: 0 import and construction, 1 crash, 2 gradient, 3 rest
    needs: str = ""  # the key of a finding's details without which there is only a guess to make
    guess: str = ""  # the title of that guess


@dataclass(frozen=True, kw_only=True)
class FixOffer:
    """The fix of one finding."""

    applicability: Applicability
    title: str


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One file before and after, as text with its line ends kept."""

    path: str  # relative to the project's root, with "/"
    before: str
    after: str


class Outcome(str, Enum):
    """What became of a planned fix."""

    PROVEN = "proven"  # sign gone, measurement in range, nothing else worse
    UNPROVEN = "unproven"  # the sign is gone, but no probe could judge
    FAILED = "failed"  # the proof failed: the reason says how
    DECLINED = "declined"  # the codemod would not touch this code: the reason says why


@dataclass(frozen=True, kw_only=True)
class RepairOutcome:
    """One fix of one finding, and its proof."""

    rule: str
    name: str
    path: str
    line: int
    title: str
    applicability: Applicability
    outcome: Outcome
    reason: str  # proven: what was shown; otherwise why not
    patch: Patch | None  # of this fix alone, against the file as mended so far
    in_cell: CellLine | None = None  # where `line` is, in a notebook
