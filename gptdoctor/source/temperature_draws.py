"""What the rules about temperatures share: how the draws of a method are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gptdoctor.core.findings import Conviction, Place, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.sampling import SampledMethod, Sampling

# The probe that every temperature is judged by.
PROBE = "sampling"
# Right samplers of every kind lie between 0.03 and 0.13 from the distribution that they follow.
FOLLOWS = 0.2
# Of 512 draws and more the histogram has settled: two of the same distribution differ by a
# quarter at most.
ENOUGH_ROWS = 256
# Histograms of a right sampler at T = 0.25 and T = 4 are 0.7 apart, of the same one 0.25 at most.
ALIKE = 0.33


def read_draws(
    measurement: Measurement,
    rule: str,
    *,
    is_wrong: Callable[[SampledMethod], bool],
    place: Callable[[SampledMethod], Place],
    told: str,
    values: Callable[[SampledMethod], dict[str, Value]],
) -> Iterator[Conviction]:
    """Convict the methods that draw wrongly at some temperatures; refute those that draw rightly.

    `told` says what a wrong one does with `{parameter}`.  Nothing is said of what did not draw,
    and of what follows neither softmax(z / T) nor the wrong thing that `is_wrong` looks for.
    """
    for method in measurement.methods if isinstance(measurement, Sampling) else ():
        if not method.parameter or method.crash is not None or method.rows < ENOUGH_ROWS:
            continue
        right = all(draw.total_variation <= FOLLOWS for draw in method.draws)
        if right or is_wrong(method):
            yield Conviction(
                rule=rule,
                status=Status.REFUTED if right else Status.CONFIRMED,
                probe=PROBE,
                place=method.place if right else place(method),
                message=f"`{method.symbol}` {told.format(parameter=f'`{method.parameter}`')}",
                values={**_values(method), **values(method)},
            )


def _values(method: SampledMethod) -> dict[str, Value]:
    return {
        "parameter": method.parameter,
        "temperatures": tuple(draw.temperature for draw in method.draws),
        "total_variations": tuple(draw.total_variation for draw in method.draws),
        "entropies_nats": tuple(draw.entropy for draw in method.draws),
        "rows": tuple(draw.rows for draw in method.draws),
    }
