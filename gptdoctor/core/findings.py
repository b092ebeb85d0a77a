"""What is wrong, where, how bad it is, and how well that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gptdoctor.core.cells import CellLine, place_words
from gptdoctor.core.repairs import FixOffer
from gptdoctor.core.suppressions import Suppression

# What a piece of evidence may hold: numbers with their unit in the key, short texts, lists of them.
Value = str | int | float | bool | None | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]


class Severity(str, Enum):
    """How much harm a defect does where it is real, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical, rising as the harm shrinks."""
        return list(Severity).index(self)

    def at_least(self, other: Severity) -> bool:
        """Whether this is as bad as `other`, or worse."""
        return self.rank <= other.rank


class Confidence(str, Enum):
    """How often the text of a rule is right where nothing is run, surest first."""

    HIGH = "high"  # hardly ever wrong
    MEDIUM = "medium"  # wrong where something out of the text's sight decides
    LOW = "low"  # as often wrong as right: a question, and no reproach


class Status(str, Enum):
    """How well a finding is known, strongest first."""

    CONFIRMED = "confirmed"  # a measurement shows the harm
    SUSPECTED = "suspected"  # the text shows it and nothing has measured it
    REFUTED = "refuted"  # the place was run and measured, and no harm was found

    @property
    def rank(self) -> int:
        """0 for confirmed, rising as the claim weakens."""
        return list(Status).index(self)


@dataclass(frozen=True, kw_only=True, order=True)
class Location:
    """A range in a file: 1-based lines and columns, columns in characters, end exclusive.

    The lines of a notebook are those of its code cells, one after another.
    """

    path: str  # relative to the project's root, with "/"
    line: int
    column: int
    end_line: int
    end_column: int
    in_cell: CellLine | None = field(default=None, compare=False)  # where `line` is, in a notebook

    @property
    def words(self) -> str:
        """The place as a reader finds it."""
        return place_words(self.path, self.line, self.in_cell)

    @property
    def shown_line(self) -> int:
        """The number that the line has where a reader sees it."""
        return self.line if self.in_cell is None else self.in_cell.line

    def covers(self, line: int) -> bool:
        """Whether `line` lies in this range."""
        return self.line <= line <= self.end_line


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where running code was: a function, and the line in it when that is known."""

    path: str  # relative to the project's root, with "/"
    symbol: str  # qualified name of the enclosing function or class, "" at module level
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """A defect as the text shows it; nothing has been run."""

    rule: str
    location: Location
    symbol: str  # qualified name of the enclosing function or class, "" at module level
    message: str  # one sentence: what this code does and why that harms
    details: Mapping[str, Value] = field(default_factory=dict)  # what the remedy wants to know
    # All lines that belong to the place (a decorated function's body, a with block): when one
    # of them was run, the place was run.  (first, last), 1-based, inclusive.
    extent: tuple[int, int]
    # Lines elsewhere in the file at which a run shows the same: where a layer is called that the
    # text shows to be made wrong.
    also_at: frozenset[int] = frozenset()
    # False: it rests on code that no model runs as well, such as a data set.
    refutable: bool = True


@dataclass(frozen=True, kw_only=True)
class Conviction:
    """What a defect reads in one model's measurements: harm shown, or shown to be absent."""

    rule: str
    status: Status  # confirmed or refuted, never suspected
    probe: str
    place: Place | None  # None: holds for all code that the specimen ran
    message: str  # one sentence for the finding when no text raised a suspicion
    values: Mapping[str, Value]
    alone: bool = True  # False: only confirms or refutes what the text raised
    # True: of no interest where another rule of the family is confirmed in the same class.
    symptom: bool = False


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What stands behind a status. `values` carry their units in their keys."""

    status: Status
    probe: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    reason: str | None = None  # suspected: why nothing measured it, and what blocks it


@dataclass(frozen=True, kw_only=True)
class ModelEvidence:
    """The evidence that one model gives for a finding."""

    name: str  # of the model
    path: str  # of the model's file
    evidence: Evidence


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """What a run shows as well because of a finding: no finding of its own."""

    rule: str
    name: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule at one place, with what every model that ran it has to say."""

    rule: str
    name: str
    severity: Severity
    location: Location
    symbol: str
    message: str
    excerpt: str  # the source line, stripped
    evidence: Evidence  # the strongest of `models`, or of the text alone
    model: str | None  # the main model it concerns
    models: tuple[ModelEvidence, ...] = ()
    fix: FixOffer | None = None
    details: Mapping[str, Value] = field(default_factory=dict)
    # What raised it: "text"; "line", a run, at this very line; "symbol", a run, somewhere in there.
    seen_by: str = "text"
    symptoms: tuple[Symptom, ...] = ()  # other rules that were confirmed because of this one
    # Set aside by the user: not shown, and no matter of gates.
    suppressed: Suppression | None = None
    # How often the text of the rule is right where nothing is run.
    confidence: Confidence = Confidence.HIGH
    excerpt_column: int = 1  # of the line, 1-based: where the excerpt begins
