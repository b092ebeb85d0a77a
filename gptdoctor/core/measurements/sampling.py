"""What temperature and filters do to the tokens that a generation method draws."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.written_call import WrittenCall


@dataclass(frozen=True, kw_only=True)
class TemperatureDraw:
    """One next token for each of `rows` rows of the same known logits z.

    Distances are total variations between the drawn histogram and a distribution, 0 to 1.
    """

    temperature: float
    rows: int
    distinct_tokens: int
    total_variation: float  # from softmax(z / T)
    entropy: float  # of the histogram, in nats
    argmax_share: float  # share of rows that drew the most likely token
    from_unscaled: float = 1.0  # from softmax(z)
    from_inverted: float = 1.0  # from softmax(z * T)
    from_scaled_probabilities: float = 1.0  # from softmax(softmax(z) / T)


@dataclass(frozen=True, kw_only=True)
class FilterDraw:
    """Tokens drawn from known logits with one filter set, and those that it has to leave."""

    kind: str  # "top-k", "top-p"
    parameter: str  # its name
    value: float
    rows: int
    # Ranks of the tokens that were drawn, 0 the likeliest: the first 12 of them.
    ranks: tuple[int, ...]
    distinct_tokens: int
    # The numbers of likeliest tokens that a right filter may leave; conventions differ by one.
    may_keep: tuple[int, ...]
    # The statement that decides what is left, as far as the run shows it.
    path: str = ""
    symbol: str = ""
    line: int | None = None
    crash: Crash | None = None
    written: WrittenCall | None = None  # of a wrong one: the call for a test

    @property
    def place(self) -> Place | None:
        """The statement that decides what is left; None: it was not seen."""
        return place_of(self.path, self.symbol, self.line)

    @property
    def right(self) -> bool:
        """Whether exactly the likeliest tokens were drawn, as many as may be."""
        likeliest = self.ranks == tuple(range(self.distinct_tokens))
        return likeliest and self.distinct_tokens in self.may_keep


@dataclass(frozen=True, kw_only=True)
class ZeroDraw:
    """What a method does at temperature 0."""

    rows: int
    argmax_share: float | None  # None: it gave no tokens
    # Its own text, documentation or default lets a temperature of 0 in.
    promised: bool
    crash: Crash | None
    admitting_line: int | None = None  # of the `if` of the method that takes 0 for a divisor


@dataclass(frozen=True, kw_only=True)
class SampledMethod:
    """A method that draws tokens, called with constant logits in place of the model."""

    path: str
    symbol: str  # "GPT4oModel.generate"
    line: int
    parameter: str  # the name of its temperature; "": it takes none
    draws: tuple[TemperatureDraw, ...]
    crash: Crash | None
    # Distance between the histograms at the lowest and at the highest temperature.
    moved_by_temperature: float | None = None
    # That distance if the temperature worked, among the tokens that were drawn at all.
    expected_movement: float | None = None
    # How the temperature met the logits: "divide", "multiply", "other"; "": it was not seen to.
    scaling: str = ""
    scaling_line: int | None = None
    scaling_path: str = ""  # where that line is
    scaling_symbol: str = ""
    scales_probabilities: bool = False  # what it met were probabilities already
    reading_line: int | None = None  # of the first statement that reads the temperature
    # Where the logits meet no temperature: the statement that readies them for the choice.
    plain_line: int | None = None
    plain_path: str = ""
    plain_symbol: str = ""
    choice_line: int | None = None  # where the token is chosen
    choice_path: str = ""
    choice_symbol: str = ""
    promises: tuple[str, ...] = ()  # what says that it samples: "its name", "do_sample=True"
    filters: tuple[FilterDraw, ...] = ()
    zero: ZeroDraw | None = None
    written: WrittenCall | None = None  # the call for a test

    @property
    def place(self) -> Place:
        """The method."""
        return Place(path=self.path, symbol=self.symbol)

    @property
    def scaling_place(self) -> Place:
        """Where the temperature is used, else the method."""
        seen = place_of(self.scaling_path, self.scaling_symbol, self.scaling_line)
        read = place_of(self.path, self.symbol, self.reading_line)
        return seen or read or self.place

    @property
    def plain_place(self) -> Place:
        """Where the temperature is lacking, else where it is used, else the method."""
        seen = None if self.scaling_line is not None else self.plain_line
        return place_of(self.plain_path, self.plain_symbol, seen) or self.scaling_place

    @property
    def choice_place(self) -> Place:
        """Where the token is chosen, else the method."""
        return place_of(self.choice_path, self.choice_symbol, self.choice_line) or self.place

    @property
    def greedy(self) -> bool:
        """Whether all but a hundredth of the rows drew the likeliest token in each draw.

        Sampling from the known logits draws it in under a tenth of the rows at T = 1.
        """
        return bool(self.draws) and all(draw.argmax_share >= 0.99 for draw in self.draws)

    @property
    def rows(self) -> int:
        """The rows of the smallest draw."""
        return min((draw.rows for draw in self.draws), default=0)


def place_of(path: str, symbol: str, line: int | None) -> Place | None:
    """The place, or None where its line is not known."""
    return None if line is None or not path else Place(path=path, symbol=symbol, line=line)


@dataclass(frozen=True, kw_only=True)
class Sampling(Measurement):
    """Probe sampling."""

    methods: tuple[SampledMethod, ...]
    generates: bool  # some method produced tokens, with or without a temperature
