"""What the rules about fading and growing gradients share: how the blocks of a stack are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gptdoctor.core.findings import Conviction, Status, Value
from gptdoctor.core.measurements.depth import Depth, Stack
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord

PROBE = "depth"


def read_factors(
    measurement: Measurement,
    record: ModelRecord,
    rule: str,
    *,
    limits: Callable[[Stack], Mapping[str, float]],
    is_wrong: Callable[[Stack, float], bool],
    worst: Callable[[Iterable[float]], float],
    told: str,
    refuted: str,
) -> Iterator[Conviction]:
    """Convict each stack whose blocks multiply the gradient wrongly; refute where none does.

    `told` says what becomes of the gradient in `{stack}`; `limits` go with the evidence.
    """
    if not isinstance(measurement, Depth):
        return
    stacks = measurement.stacks
    known = [(one, factor) for one in stacks if (factor := one.gradient_factor) is not None]
    wrong = [(one, factor) for one, factor in known if is_wrong(one, factor)]
    for stack, factor in wrong:
        yield Conviction(
            rule=rule,
            status=Status.CONFIRMED,
            probe=PROBE,
            place=stack.place_of_factor(record.target),
            message=told.format(stack=stack.name or "the blocks"),
            values={**_values(stack, factor), "build": measurement.build, **limits(stack)},
        )
    if known and not wrong:
        yield Conviction(
            rule=rule,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message=refuted,
            values={"gradient_factor": worst(factor for _, factor in known)},
        )


def _values(stack: Stack, factor: float) -> dict[str, Value]:
    return {
        "stack": stack.name,
        "blocks": stack.blocks,
        "gradient_factor": factor,
        "first_norm": stack.gradient_norms[0],
        "last_norm": stack.gradient_norms[-1],
    }
