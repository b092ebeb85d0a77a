"""Probe attention-scale: by what the scores of each attention are scaled before their softmax."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Mapping

from torch import Tensor

from gptdoctor.core.measurements.attention_scale import AttentionScale, ScoredAttention
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.scores import Scores, ScoreWatch, slope
from gptdoctor.probes.probe import Probe
from gptdoctor.specimen.specimen import Specimen


def spread(tensor: Tensor) -> float:
    """The standard deviation of the numbers of a tensor, 0 where there is one alone."""
    return float(tensor.detach().float().std()) if tensor.numel() > 1 else 0.0


def evenness(first: float, second: float) -> float:
    """The smaller of two spreads over the larger; 1 where both are 0."""
    return min(first, second) / max(first, second) if max(first, second) > 0 else 1.0


def gain(weight: Tensor) -> float:
    """What a matrix of a projection multiplies the size of independent numbers by.

    Its sides are as long as each other, or the shorter is what it is given; a matrix that makes
    many numbers of few, as a head does, has a gain that is too small then, and is one of many.
    """
    fan_in = min(weight.shape[0], weight[0].numel())
    return spread(weight) * float(fan_in**0.5)


def _relative_init(scores: Scores, weights: Mapping[int, Tensor]) -> float:
    """How large queries and keys are made, over what the other projections make of their inputs.

    The smaller of the two.  A scale that is in the initialisation of both makes it small.
    """
    own_weights = {origin.weight for origin in scores.origins}
    others = [gain(weight) for key, weight in weights.items() if key not in own_weights]
    usual = statistics.median(others) if others else 0.0
    own = min(
        spread(made) / max(spread(origin.projected), 1e-12)
        for made, origin in zip((scores.queries, scores.keys), scores.origins, strict=True)
    )
    return own / usual if usual else 1.0


def _measured(scores: Scores, weights: Mapping[int, Tensor]) -> ScoredAttention | None:
    factor = slope(scores)
    if factor is None:
        return None
    return ScoredAttention(
        path=scores.place.path if scores.place is not None else "",
        symbol=scores.place.symbol if scores.place is not None else "",
        line=scores.place.line if scores.place is not None else None,
        head_width=scores.width,
        factor=factor,
        plain=scores.plain and all(origin.plain for origin in scores.origins),
        evenness=evenness(spread(scores.queries), spread(scores.keys)),
        relative_init=_relative_init(scores, weights),
    )


def measure(specimen: Specimen) -> AttentionScale:
    """One forward pass, watched."""
    require_forward(specimen)
    model = specimen.copy()
    watch = ScoreWatch(
        root=specimen.root, parameters=frozenset(id(each) for each in model.parameters())
    )
    specimen.reseed()
    with warnings.catch_warnings(), watch:
        warnings.simplefilter("ignore")  # torch would name our frame for the user's
        specimen.call(model, specimen.inputs())
    found = [_measured(scores, watch.weights) for scores in watch.chosen()]
    return AttentionScale(attentions=tuple(each for each in found if each is not None))


PROBE = Probe(name="attention-scale", order=66, measure=measure)
