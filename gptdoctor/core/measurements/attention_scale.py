"""By what the scores of an attention are scaled before their softmax."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class ScoredAttention:
    """One product of queries and keys that goes into a softmax."""

    path: str  # of the user's line that multiplies; "": not the user's
    symbol: str
    line: int | None
    head_width: int  # d, over which the product sums
    factor: float  # of a score on its way from the product to the softmax
    plain: bool  # nothing between the projections and the softmax scales or normalises
    # Spread of the queries over that of the keys, or the inverse: 1 where the two were made
    # alike; far below, a scale is in the initialisation of one of them.
    evenness: float
    # What queries or keys are of the size of what they were made of, over what the median
    # projection of the model makes; the smaller of the two.
    relative_init: float


@dataclass(frozen=True, kw_only=True)
class AttentionScale(Measurement):
    """Probe attention-scale: each line that multiplies queries and keys, once."""

    attentions: tuple[ScoredAttention, ...]
