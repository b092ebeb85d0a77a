"""What temperature does to the tokens that a generation method draws."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class TemperatureDraw:
    """One next token for each of `rows` rows of the same known logits."""

    temperature: float
    rows: int
    distinct_tokens: int
    # Distance between the drawn histogram and softmax(z / T), 0 to 1.
    total_variation: float
    entropy: float  # of the histogram, in nats
    argmax_share: float  # share of rows that drew the most likely token


@dataclass(frozen=True, kw_only=True)
class SampledMethod:
    """A method that takes a temperature, called with constant logits in place of the model."""

    path: str
    symbol: str  # "GPT4oModel.generate"
    line: int
    parameter: str  # the name of its temperature
    draws: tuple[TemperatureDraw, ...]
    crash: Crash | None


@dataclass(frozen=True, kw_only=True)
class Sampling(Measurement):
    """Probe sampling."""

    methods: tuple[SampledMethod, ...]
    generates: bool  # some method produced tokens, with or without a temperature
