"""What batch and length do to the forward pass."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord


@dataclass(frozen=True, kw_only=True)
class ShapeCase:
    """One forward pass at batch B and length T."""

    batch: int
    length: int
    outcome: str  # "ok", "crash", "wrong-shape"
    logits_shape: tuple[int, ...] | None
    crash: Crash | None
    returned: tuple[int, ...] | None = None  # the logits as the model gives them, in any form
    # The first reshape that does not go with B and T as it does in a case that works.
    odd: Place | None = None
    odd_operation: str = ""  # "view", "squeeze"

    @property
    def form(self) -> tuple[int, int]:
        """In how many dimensions the logits come, and how many positions beside the text's."""
        shape = self.returned or ()
        return len(shape), shape[1] - self.length if len(shape) == 3 else 0


@dataclass(frozen=True, kw_only=True)
class ExchangedLogits:
    """Logits that come out as [T, B, V], though ids went in as [B, T]."""

    place: Place
    operation: str
    batch: int
    length: int
    shape: tuple[int, ...]  # as they were returned
    vocabulary: int
    call: str = ""  # that returned them for `ids`, without labels; "": it has no short form


@dataclass(frozen=True, kw_only=True)
class LastOnly:
    """The operation that leaves the last of T positions, though each reads the text before it."""

    place: Place
    operation: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    length: int


@dataclass(frozen=True, kw_only=True)
class CrashSource:
    """Where the sizes come from that make the user's code fail at another line.

    `kind`: "constant", a size of its own, whatever the text's; "lost-dimension", a reduction that
    does not keep its dimension; "missing-dimension", a tensor at that line itself lacks one;
    "exchanged", T before B; "reshape", the first that does not go with B and T;
    "transposed-weight" and "batch-first", a layer that works when it is told so; "nested-shape",
    a shape that holds another where a number is due; "type", numbers of another type than the
    weights have.
    """

    crash_path: str
    crash_line: int
    place: Place
    kind: str
    operation: str
    size: int  # 0: it is no single size
    shape: tuple[int, ...]  # of what the operation made, or of the layer's weight
    written: bool = False  # the statement holds the size as a number


@dataclass(frozen=True, kw_only=True)
class MixedReshape:
    """A reshape that makes heads of positions: [B, T, H * D] to [B, H, T, D], or back."""

    place: Place
    operation: str
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SpreadRows:
    """An elementwise operation of (.., N, 1) and (N,): each of N rows with each other."""

    place: Place
    operation: str
    first: tuple[int, ...]
    second: tuple[int, ...]
    result: tuple[int, ...]
    call: str = ""  # of the loss for `ids` and `labels`, as a test writes it; "": not known


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
    mixed: tuple[MixedReshape, ...] = ()  # at a T that no other size is
    # How far the logits move when all of these keep their positions, relative to the largest
    # logit. None: there are none, or it was not measured.
    mixing_effect: float | None = None
    spread: tuple[SpreadRows, ...] = ()  # in one pass that ends in the model's own loss
    exchanged: ExchangedLogits | None = None
    last_only: LastOnly | None = None
    sources: tuple[CrashSource, ...] = ()  # one for each line that fails, where it is known

    def source_of(self, path: str | None, line: int | None) -> CrashSource | None:
        """Where the sizes come from that make this line fail; None: nothing better is known."""
        here = (one for one in self.sources if (one.crash_path, one.crash_line) == (path, line))
        return next(here, None)

    def is_explained(self, crash: Crash) -> bool:
        """Whether what does not fit where the code crashes is known to be wrong at all sizes.

        That is a number in the text, or a layer whose two sizes are exchanged: put right, the
        call works.  Where the two are equal nobody can tell one order from the other.
        """
        source = self.source_of(crash.path, crash.line)
        known = source is not None and (source.written or source.kind == "transposed-weight")
        return crash.is_mismatch and crash.own and known

    def is_mismatch(self, crash: Crash) -> bool:
        """Whether sizes do not fit where the code crashes, or what it gives is no size at all."""
        source = self.source_of(crash.path, crash.line)
        return crash.is_mismatch or (source is not None and source.kind == "nested-shape")

    def failing_batches(self) -> tuple[tuple[ShapeCase, ShapeCase], ...]:
        """Each case whose batch makes the user's code crash, with one of its length that works.

        A length may be refused: a model may want whole chunks, or no more than it has positions
        for.  A single position leaves no loss, and is asked only where a dimension is known to be
        lacking.  So may a batch that is no multiple of the rows
        that belong together: then twice as many work.
        """
        works = {case.length: case for case in self.cases if case.outcome == "ok"}
        sizes = {(case.batch, case.length) for case in self.cases if case.outcome == "ok"}
        return tuple(
            (case, works[case.length])
            for case in self.cases
            if case.crash is not None and case.crash.own and case.length in works
            if case.length > 1 or self._lacks_dimension(case)
            if case.batch == 1 or (2 * case.batch, case.length) not in sizes
        )

    def fixed_lengths(self) -> tuple[ShapeCase, ...]:
        """The cases that fail at any length, where no text of two tokens or more works.

        They do so by a number in the text, or because a tensor has lost its width and kept
        its positions: one position fits any length.
        """
        if any(case.outcome == "ok" and case.length > 1 for case in self.cases):
            return ()
        return tuple(
            case
            for case in self.cases
            if case.crash is not None and case.crash.own and case.length > 1
            if (source := self.source_of(case.crash.path, case.crash.line)) is not None
            if (source.kind == "constant" and source.written)
            or (source.kind == "lost-dimension" and {case.batch, case.length} <= {*source.shape})
        )

    def _lacks_dimension(self, case: ShapeCase) -> bool:
        """Whether it is known of what fails at one position that a tensor lacks a dimension."""
        crash = case.crash
        source = None if crash is None else self.source_of(crash.path, crash.line)
        return source is not None and source.kind in ("lost-dimension", "missing-dimension")

    def odd_forms(self) -> tuple[tuple[ShapeCase, ShapeCase], ...]:
        """Each case whose logits have a wrong form, with one that works, best told first.

        Of the right form is what [B, T] asks for, in as many dimensions as ever, with as many
        positions beside the text as ever. Where another batch works at the same length, the code
        is to blame for a wrong shape; else only where a reshape is known to be.
        """
        many = [one for one in self.cases if min(one.batch, one.length) > 1]
        works = [one for one in many if one.outcome == "ok"]
        forms = {one.form for one in works}
        found = []
        for case in self.cases:
            same = [one for one in works if one.length == case.length]
            wrong = case.outcome == "wrong-shape" and (same or case.odd is not None)
            small = case.outcome == "ok" and min(case.batch, case.length) == 1
            unlike = small and len(forms) == 1 and case.form not in forms
            if works and (wrong or (unlike and case.odd is not None)):
                found.append((case, (same or works)[0]))
        return tuple(sorted(found, key=lambda pair: pair[0].odd is None))


def shapes_of(record: ModelRecord) -> Shapes:
    """What the probe shapes measured of a model; where it did not, one without any case."""
    nothing = Shapes(cases=(), transpose_warnings=(), row_influence=None)
    return next(record.told(Shapes), nothing)
