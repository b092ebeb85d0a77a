"""What padded tokens do to the outputs of real ones."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.information import FlowPlace
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class PaddedSide:
    """One side that was padded: changes of real outputs, relative to the largest output."""

    side: str  # "left", "right"
    padded: int  # tokens of T
    # When the content of the padded tokens is exchanged, under a mask that marks real tokens
    # with one, and under the opposite one.
    real_is_one: float | None  # None: it does not run
    real_is_zero: float | None


@dataclass(frozen=True, kw_only=True)
class Padding(Measurement):
    """Probe padding."""

    mask: str  # the parameter that takes it; or the input in which an id stands for padding
    length: int  # T
    least_influence: float  # what counts as no noise
    # What the name promises: "one" where real tokens are marked, "zero" where padding is; "": it
    # promises nothing.
    promised: str
    sides: tuple[PaddedSide, ...]
    seeds_leaking: int  # with how many of 3 seeds padding leaks as promised; 0: it does not
    place: FlowPlace | None  # where padded tokens reach real ones
    # The id that the model itself takes for padding; None: a mask is given.  Then `real_is_one` is
    # how far outputs move when the text is padded with it, and `real_is_zero` is not measured.
    pad_id: int | None = None
    form: str = "tokens"  # of the mask: "tokens" [B, T], or a wider one
    hides_real: bool = False  # whether the model's own mask hides the real tokens instead

    def promised_influence(self, side: PaddedSide) -> float | None:
        """The influence of padding under the mask that its name promises; else under the better."""
        if self.promised == "one":
            return side.real_is_one
        if self.promised == "zero":
            return side.real_is_zero
        known = [each for each in (side.real_is_one, side.real_is_zero) if each is not None]
        return min(known, default=None)

    @property
    def leaking_side(self) -> PaddedSide | None:
        """The first side whose padding moves real outputs under the mask that hides it."""
        for side in self.sides:
            influence = self.promised_influence(side)
            if influence is not None and influence > self.least_influence:
                return side
        return None

    def turned(self, side: PaddedSide) -> bool:
        """Whether the opposite of the promised mask hides the padding."""
        if self.pad_id is not None:
            return self.hides_real
        other = {"one": side.real_is_zero, "zero": side.real_is_one}.get(self.promised)
        return other is not None and other <= self.least_influence
