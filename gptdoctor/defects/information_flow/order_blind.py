"""GD805: positions have no part in the outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.causality import mask_is_misplaced
from gptdoctor.core.measurements.context_use import ContextUse
from gptdoctor.core.measurements.information import SEEDS, place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD805"
PROBE = "context-use"
# Of the largest output, in a user's test: in float32 rounding moves the last bits alone.
LEAST_MOVE = 1e-5


def read_order(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a model that holds positions and makes nothing of them; refute where it does."""
    if not isinstance(measurement, ContextUse):
        return
    computed = measurement.positions_are_zeroed or measurement.positions_are_unused
    if not measurement.positions and not computed:
        return  # without positions the causal mask alone tells the order, which may be meant
    if measurement.is_blind_to_context or mask_is_misplaced(record):
        return  # nothing that comes before is seen, in whatever order
    influence = measurement.positions_influence or 0.0
    blind = measurement.is_order_blind
    if (measurement.positions_are_dead or blind) and measurement.seeds == SEEDS:
        status, place = Status.CONFIRMED, place_of(measurement.order_place, record.target)
        message = (
            "Earlier tokens may trade places and nothing moves." if blind else _dead(measurement)
        )
    elif influence > measurement.least_order and not blind:
        status, place, message = Status.REFUTED, None, "The order of earlier tokens is seen."
    else:
        return
    yield Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=message,
        values=_values(measurement),
    )


def _values(measurement: ContextUse) -> dict[str, Value]:
    return {
        "length": measurement.length,
        "order": measurement.order,
        "positions": measurement.positions,
        "positions_influence": measurement.positions_influence,
        "flat": measurement.positions_are_flat,
        "zeroed": measurement.positions_are_zeroed,
        "unused": measurement.positions_are_unused,
    }


def _dead(measurement: ContextUse) -> str:
    if measurement.positions_are_zeroed:
        return "Positions are computed and multiplied by zero: they have no part in the outputs."
    if measurement.positions_are_unused:
        return "Sines and cosines of positions are computed, and nothing is made of them."
    names = ", ".join(measurement.positions[:3])
    if measurement.positions_are_flat:
        return f"What the model holds of positions ({names}) is the same at all of them."
    return f"The positions that the model holds ({names}) have no part in its outputs."


def _test(values: Mapping[str, Value]) -> str:
    """All tokens but the last in another order; or what holds positions exchanged, or compared."""
    length, order = values.get("length"), values.get("order")
    if isinstance(order, float) and order <= LEAST_MOVE:
        return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # so that no gate is shut
text = random_ids(batch=1, length={length})[0]
with torch.no_grad():
    _, order = context_and_order(lambda ids: logits(model, ids), text, other_ids(text))
assert order > {LEAST_MOVE}, "earlier tokens may trade places, and the last logits stay as they are"
"""
    if values.get("flat"):
        return f"""\
flat = positions_are_flat(jitter(build(), 0.1, seed=0), {length})
assert not flat, "all rows of the tables of positions are equal"
"""
    if values.get("zeroed"):
        return f"""\
class Zeroed(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {{}}))
        if zeroes_positions(getattr(func, "__name__", ""), args, result, {length}):
            found.append(tuple(result.shape))
        return result

model, found = build().eval(), []
with torch.no_grad(), Zeroed():
    logits(jitter(model, 0.1, seed=0), random_ids(length={length}))
assert not found, f"what tells positions is multiplied by zero: {{found}}"
"""
    return _test_of_angles(length) if values.get("unused") else _test_of_holders(length)


def _test_of_holders(length: Value) -> str:
    """The logits with other numbers in all that holds positions."""
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # so that no gate is shut
ids = random_ids(length={length})
with torch.no_grad():
    before = logits(model, ids)
    names = disturb(model, 0, {length})
    change = float((logits(model, ids) - before).abs().max() / before.abs().max())
assert change > {LEAST_MOVE}, f"nothing moves when {{', '.join(names)}} hold other numbers"
"""


def _test_of_angles(length: Value) -> str:
    """The logits with other sines and cosines along the text."""
    return f"""\
class Turned(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {{}}))
        turns = getattr(func, "__name__", "") in ("cos", "sin", "polar")
        return result + 1 if turns and {length} in result.shape else result

model, ids = jitter(build().eval(), 0.1, seed=0), random_ids(length={length})
with torch.no_grad():
    before = logits(model, ids)
    with Turned():
        after = logits(model, ids)
    change = float((after - before).abs().max() / before.abs().max())
assert change > {LEAST_MOVE}, "nothing moves when the sines and cosines of positions are others"
"""


SICK = """\
from torch import nn
from torch.nn import functional as F


class ShufflingReader(nn.Module):
    def __init__(self, vocab_size, width, max_len=512):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.position = nn.Embedding(max_len, width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids) + self.position.weight[0]
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        logits = self.head(x + F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="order-blind",
    severity=Severity.HIGH,
    summary="The model holds positions and makes nothing of them.",
    explanation=(
        "Position embeddings, rotary tables or slopes are made and then not added, not applied, "
        "multiplied by zero, or read at one and the same position. Models that hold no positions "
        "are not meant: recurrence and convolution tell the order by themselves, and below a "
        "causal mask several layers can."
    ),
    harm=(
        "The order of the words is told by the causal mask alone, or not at all: the model learns "
        "it slowly or never, and what it says at longer lengths gets worse."
    ),
    confirmed_by=(
        "The probe context-use exchanges everything that holds positions but what stands for the "
        "first one, and turns the earlier tokens round, with moved weights. It is confirmed, with "
        "three seeds, where the order moves nothing (above 1e-5 of the largest output), or where "
        "the positions move nothing, or all rows of their tables are equal, and in a text of one "
        "token every attention weighs all that it sees alike."
    ),
    sick=SICK,
    healed=SICK.replace("self.position.weight[0]", "self.position.weight[: ids.shape[1]]"),
    convicts={PROBE: read_order},
    # What is cached has seen other positions than a pass over all, which has lost them.
    explains_elsewhere=("GD415",),
    proof=Proof(
        measures=(
            "probes.context_use:context_and_order",
            "probes.instruments.lost_positions:zeroes_positions",
            "probes.instruments.positions:disturb",
            "probes.instruments.flat_positions:positions_are_flat",
            "probes.instruments.weights:jitter",
        ),
        test=_test,
    ),
)
