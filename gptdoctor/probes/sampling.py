"""Probe sampling: what temperature does to the tokens that a generation method draws."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.sampling import SampledMethod, Sampling, TemperatureDraw
from gptdoctor.probes.instruments.fixed_logits import FixedHead, FixedLogits
from gptdoctor.probes.instruments.generation import (
    PROMPT,
    Method,
    arguments_for,
    methods_of,
    new_tokens,
)
from gptdoctor.probes.instruments.requirements import require_logits
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.outputs import Path, tensors_in
from gptdoctor.specimen.places import crash_of
from gptdoctor.specimen.specimen import Specimen

# Far apart, so that what ignores them shows: colder, as it is, hotter.
TEMPERATURES = (0.25, 1.0, 4.0)
# With 97 tokens, 1024 draws keep a right sampler within 0.13 of softmax(z / T) in total
# variation; one that ignores T is off by 0.46 at T = 0.25, and argmax by 0.88 or more.
ROWS = 1024
# A method that takes one row is called this often, or for this long, at each temperature.
CALLS, SECONDS = 512, 2.0
_FAILURES = (Exception, SystemExit)


def known_logits(vocabulary: int) -> Tensor:
    """Logits [V] from 0 to 3: the likeliest token is 20 times as likely as the least likely."""
    return torch.linspace(0, 3, vocabulary)


def temperature_draw(tokens: Tensor, logits: Tensor, temperature: float) -> TemperatureDraw:
    """How tokens [R] that were drawn from logits [V] are distributed, against softmax(z / T)."""
    wanted = torch.softmax(logits / temperature, dim=-1)
    counts = torch.bincount(tokens, minlength=len(logits))
    drawn = counts / counts.sum()
    seen = drawn[drawn > 0]
    return TemperatureDraw(
        temperature=temperature,
        rows=len(tokens),
        distinct_tokens=len(seen),
        total_variation=float((drawn - wanted).abs().sum() / 2),
        entropy=abs(float((seen * seen.log()).sum())),
        argmax_share=float(drawn[logits.argmax()]),
    )


@dataclass(frozen=True, kw_only=True)
class _Way:
    """One way to ask: rows at once or one by one, and what stands in for the model."""

    rows: int
    flat: bool = False  # ids [T] rather than [1, T]
    real: bool = False  # the model computes, and its logits are exchanged
    head: bool = False  # the last layer is exchanged, for methods that do not call the entry


# The cheapest first. What keeps a cache needs the model's real outputs.
_WAYS = (
    _Way(rows=ROWS),
    _Way(rows=ROWS, head=True),
    _Way(rows=ROWS, real=True),
    _Way(rows=1),
    _Way(rows=1, flat=True),
    _Way(rows=1, real=True),
)


class _Sampler:
    """Draws tokens by the methods of one specimen."""

    def __init__(self, specimen: Specimen) -> None:
        self._specimen = specimen
        self._vocabulary = specimen.construction.vocabulary
        self._logits = known_logits(self._vocabulary)
        self._raw, self._path = _real_output(specimen)
        facts = specimen.construction.inputs
        self._ids = next(fact.name for fact in reversed(facts) if fact.kind == "ids")

    def methods(self) -> list[Method]:
        """The methods of the model that can be asked."""
        specimen = self._specimen
        return list(methods_of(specimen.model, specimen.target.entry, specimen.root))

    def draw(self, method: Method) -> SampledMethod | None:
        """The draws of one method; None where it gave no tokens and did not fail."""
        crash = None
        for way in _WAYS:
            try:
                draws = self._draws(method, way)
            except _FAILURES as error:
                crash = crash_of(error, self._specimen.root, "generate")
                continue
            if draws:
                return _sampled(method, draws)
        return None if crash is None else SampledMethod(**_named(method), draws=(), crash=crash)

    def _draws(self, method: Method, way: _Way) -> tuple[TemperatureDraw, ...]:
        temperatures = TEMPERATURES if method.temperature is not None else (1.0,)
        draws = []
        for temperature in temperatures:
            tokens = self._tokens(method, way, temperature)
            if tokens is None or not bool(((tokens >= 0) & (tokens < self._vocabulary)).all()):
                return ()
            draws.append(temperature_draw(tokens, self._logits, temperature))
        return tuple(draws)

    def _tokens(self, method: Method, way: _Way, temperature: float) -> Tensor | None:
        """Tokens [R] drawn at one temperature; None where the known logits were not asked for."""
        model = self._specimen.copy().eval()
        function = getattr(model, method.name)
        fixed = self._fixed(model, way)
        given = self._given(method, way)
        found: list[Tensor] = []
        until = perf_counter() + SECONDS
        self._specimen.reseed()
        with torch.no_grad():
            while len(found) < (1 if way.rows > 1 else CALLS) and perf_counter() < until:
                arguments = arguments_for(function, method, given, temperature, self._vocabulary)
                tokens = new_tokens(function(**arguments), given)
                if tokens is None or not (fixed.calls or method.takes_logits):
                    return None
                found.append(tokens[: way.rows])
        return torch.cat(found)

    def _fixed(self, model: nn.Module, way: _Way) -> FixedLogits | FixedHead:
        if way.head:
            return FixedHead(model, self._logits)
        entry = self._specimen.target.entry
        return FixedLogits(model, entry, self._raw, self._path, self._logits, way.real)

    def _given(self, method: Method, way: _Way) -> Tensor:
        """What the method is given to continue: ids [B, T], or logits [B, V]."""
        if method.takes_logits:
            return self._logits.expand(way.rows, -1).clone()
        prompt = self._prompt().reshape(1, -1)
        return prompt[0].clone() if way.flat else prompt.expand(way.rows, -1).clone()

    def _prompt(self) -> Tensor:
        """Ids of one row [T], or [1, T]."""
        if not self._specimen.only_at:
            made: Tensor = self._specimen.make_inputs(1, PROMPT, self._specimen.seed)[self._ids]
            return made
        known: Tensor = self._specimen.inputs()[self._ids]
        return known.flatten()[:PROMPT]


def _real_output(specimen: Specimen) -> tuple[Any, Path]:
    """An output of the known call and the way to its logits; bare logits where that fails."""
    width = specimen.construction.vocabulary
    bare = torch.zeros(1, 1, width).expand(1, PROMPT, width)
    try:
        with torch.no_grad():
            outputs = specimen.call(specimen.copy().eval(), specimen.inputs())
    except _FAILURES:
        return bare, ()
    wide = [
        each for each in tensors_in(outputs.raw) if each[1].dim() and each[1].shape[-1] == width
    ]
    named = [each for each in wide if any("logit" in str(step[1]) for step in each[0])]
    best = next(iter([*named, *wide]), None)
    return (bare, ()) if best is None else (outputs.raw, best[0])


def _named(method: Method) -> dict[str, Any]:
    place = method.place
    return {
        "path": place.path,
        "symbol": place.symbol,
        "line": place.line or 0,
        "parameter": method.temperature or "",
    }


def _sampled(method: Method, draws: tuple[TemperatureDraw, ...]) -> SampledMethod:
    return SampledMethod(**_named(method), draws=draws, crash=None)


def measure(specimen: Specimen) -> Sampling:
    """The draws of all methods that take a temperature, and whether any method gives tokens."""
    require_logits(specimen)
    sampler = _Sampler(specimen)
    drawn = [(method, sampler.draw(method)) for method in sampler.methods()]
    return Sampling(
        methods=tuple(found for method, found in drawn if found is not None and method.temperature),
        generates=any(found is not None and bool(found.draws) for _, found in drawn),
    )


PROBE = Probe(name="sampling", order=50, measure=measure)
