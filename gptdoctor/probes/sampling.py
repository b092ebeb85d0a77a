"""Probe sampling: what temperature and filters do to the tokens that a method draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.sampling import (
    SampledMethod,
    Sampling,
    TemperatureDraw,
    ZeroDraw,
)
from gptdoctor.core.measurements.written_call import WrittenCall
from gptdoctor.probes.instruments.filter_draws import filter_draws, known_logits
from gptdoctor.probes.instruments.fixed_logits import always
from gptdoctor.probes.instruments.generation import Method
from gptdoctor.probes.instruments.known_draws import CALLS, WAYS, KnownDraws, Way
from gptdoctor.probes.instruments.nearby_text import admitting_line, idle_line, only_reads
from gptdoctor.probes.instruments.promises import lets_zero_in, promises_of
from gptdoctor.probes.instruments.read_lines import first_reading
from gptdoctor.probes.instruments.requirements import require_logits
from gptdoctor.probes.instruments.traced_choice import Temperature, TracedChoice
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Specimen

# Far apart, so that what ignores them shows: colder, as it is, hotter.
TEMPERATURES = (0.25, 1.0, 4.0)
TRACED = 0.5  # neither 1, which some need not divide by, nor near 0
GREEDY_CALLS = 8  # of a method that takes one row, where one token is expected


def histogram(tokens: Tensor, vocabulary: int) -> Tensor:
    """The shares [V] of each token among [R]."""
    counts = torch.bincount(tokens, minlength=vocabulary)
    return counts / counts.sum()


def distance(one: Tensor, other: Tensor) -> float:
    """The total variation between two distributions [V]: 0, the same, to 1."""
    return float((one - other).abs().sum() / 2)


def expected_movement(logits: Tensor, tokens: Tensor, coldest: float, hottest: float) -> float:
    """How far apart the draws at two temperatures are, if only these tokens [R] can be drawn.

    `logits` [V].  A filter that leaves a few tokens leaves such as are alike at any temperature.
    """
    left = logits[torch.unique(tokens)]
    return distance((left / coldest).softmax(dim=-1), (left / hottest).softmax(dim=-1))


def temperature_draw(tokens: Tensor, logits: Tensor, temperature: float) -> TemperatureDraw:
    """How tokens [R] that were drawn from logits [V] are distributed, against softmax(z / T)."""
    drawn = histogram(tokens, len(logits))
    seen = drawn[drawn > 0]
    plain = logits.softmax(dim=-1)
    return TemperatureDraw(
        temperature=temperature,
        rows=len(tokens),
        distinct_tokens=len(seen),
        total_variation=distance(drawn, (logits / temperature).softmax(dim=-1)),
        entropy=abs(float((seen * seen.log()).sum())),
        argmax_share=float(drawn[logits.argmax()]),
        from_unscaled=distance(drawn, plain),
        from_inverted=distance(drawn, (logits * temperature).softmax(dim=-1)),
        from_scaled_probabilities=distance(drawn, (plain / temperature).softmax(dim=-1)),
    )


class _Asked:
    """One method, asked in the first way that works."""

    def __init__(self, draws: KnownDraws, method: Method) -> None:
        self._draws, self._method = draws, method
        self._logits = known_logits(draws.vocabulary)

    def told(self) -> SampledMethod | None:
        """What it draws; None where it gave no tokens and did not fail."""
        crash = None
        for way in WAYS:
            try:
                found = self._at_temperatures(way)
            except FAILURES as error:
                crash = crash_of(error, self._draws.specimen.root, "generate")
                continue
            if found:
                return self._sampled(way, found)
        # A method that reads logits of every position fails at a model that gives none, whatever
        # its filters do.
        if crash is None or self._draws.without_positions:
            return None
        # An open filter that is wrong lets no token through: then a set one shows it.
        filters = tuple(filter_draws(self._draws, self._method, WAYS[0]))
        if self._method.temperature is None and not any(one.rows for one in filters):
            return None
        written = self._written(WAYS[0])
        return SampledMethod(
            **self._named(), draws=(), crash=crash, filters=filters, written=written
        )

    def _at_temperatures(self, way: Way) -> list[tuple[float, Tensor]]:
        """Tokens [R] by temperature, nothing where there are none."""
        found = []
        for temperature in TEMPERATURES if self._method.temperature is not None else (1.0,):
            tokens = self._tokens(way, temperature)
            if tokens is None:
                return []
            found.append((temperature, tokens))
        return found

    def _tokens(
        self, way: Way, temperature: float, calls: int = CALLS, watch: Any = None
    ) -> Tensor | None:
        name = self._method.temperature
        chosen = {} if name is None else {name: temperature}
        return self._draws.tokens(self._method, way, self._logits, chosen, calls, watch)

    def _sampled(self, way: Way, found: list[tuple[float, Tensor]]) -> SampledMethod:
        method, size = self._method, len(self._logits)
        traced, scaled = self._traced(way)
        coldest, hottest = (histogram(tokens, size) for _, tokens in (found[0], found[-1]))
        name = method.temperature
        drawn = torch.cat([tokens for _, tokens in found])
        expected = expected_movement(self._logits, drawn, found[0][0], found[-1][0])
        return SampledMethod(
            **self._named(),
            draws=tuple(temperature_draw(tokens, self._logits, t) for t, tokens in found),
            crash=None,
            moved_by_temperature=None if name is None else distance(coldest, hottest),
            expected_movement=None if name is None else expected,
            reading_line=None if name is None else first_reading(method.written, name),
            promises=promises_of(method),
            filters=tuple(filter_draws(self._draws, method, way)),
            zero=None if name is None else self._zero(way, scaled),
            written=self._written(way),
            **traced,
        )

    def _written(self, way: Way) -> WrittenCall | None:
        name = self._method.temperature
        chosen, names = ({name: 1.0}, {name: "temperature"}) if name is not None else ({}, {})
        script = always(self._logits)
        return self._draws.written(self._method, way, script, chosen, names=names)

    def _zero(self, way: Way, scaling: Place | None) -> ZeroDraw:
        root, told = (
            self._draws.specimen.root,
            ZeroDraw(rows=0, argmax_share=None, promised=lets_zero_in(self._method), crash=None),
        )
        if scaling is not None:
            line = admitting_line(scaling, root, str(self._method.temperature))
            told = replace(told, admitting_line=line)
        try:
            tokens = self._tokens(way, 0.0, GREEDY_CALLS)
        except FAILURES as error:
            return replace(told, crash=crash_of(error, root, "generate"))
        if tokens is None:
            return told
        share = float((tokens == self._logits.argmax()).double().mean())
        return replace(told, rows=len(tokens), argmax_share=share)

    def _traced(self, way: Way) -> tuple[dict[str, Any], Place | None]:
        """Where the token was chosen, and where the temperature met the logits, or did not."""
        trace = TracedChoice(self._draws.specimen.root, self._draws.vocabulary)
        try:
            self._tokens(way, Temperature(TRACED), 1, trace)
        except FAILURES:
            return {}, None  # it wants a plain number
        told: dict[str, Any] = {}
        if trace.choices:
            told |= _placed("choice", trace.choices[-1])
        if trace.scalings:
            one = trace.scalings[0]
            told |= _placed("scaling", one.place)
            told |= {"scaling": one.how, "scales_probabilities": one.probabilities}
        elif trace.choices:
            told |= _placed("plain", self._readied(trace))
        return told, trace.scalings[0].place if trace.scalings else None

    def _readied(self, trace: TracedChoice) -> Place:
        return readied(trace, self._draws.specimen.root, self._method.place.symbol)

    def _named(self) -> dict[str, Any]:
        place = self._method.place
        return {
            "path": place.path,
            "symbol": place.symbol,
            "line": place.line or 0,
            "parameter": self._method.temperature or "",
        }


def _placed(what: str, place: Place) -> dict[str, Any]:
    return {
        f"{what}_path": place.path,
        f"{what}_symbol": place.symbol,
        f"{what}_line": place.line,
    }


def readied(trace: TracedChoice, root: str, method: str) -> Place:
    """The statement that readies the logits for the choice, where a temperature has its place.

    One that does nothing, near the choice; else one that only reads the logits of a position, for
    there most divide; else the softmax before the choice; else the choice.  Where the choice is in
    a helper that is handed what is ready, all this is looked for in the `method` that was asked.
    """
    choice = trace.choices[-1]
    idle = idle_line(choice, root)
    if idle is not None:
        return replace(choice, line=idle)
    for symbol in (choice.symbol, method):
        here = [one for one in trace.steps if one.place.symbol == symbol]
        reading = [one.place for one in here if one.kind == "read" and only_reads(one.place, root)]
        softened = [one.place for one in here if one.kind == "soften"]
        for place in (*reading[-1:], *softened[-1:]):
            return place
    return choice


def measure(specimen: Specimen) -> Sampling:
    """The draws of all methods that give tokens, and whether any does."""
    require_logits(specimen)
    draws = KnownDraws(specimen)
    told = [_Asked(draws, method).told() for method in draws.methods()]
    found = tuple(one for one in told if one is not None)
    return Sampling(methods=found, generates=any(one.draws or one.filters for one in found))


PROBE = Probe(name="sampling", order=50, measure=measure)
