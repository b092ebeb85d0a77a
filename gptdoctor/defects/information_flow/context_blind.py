"""GD804: outputs do not depend on any earlier token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.causality import mask_is_misplaced
from gptdoctor.core.measurements.context_use import ContextUse
from gptdoctor.core.measurements.information import SEEDS, place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD804"
PROBE = "context-use"


def read_context(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a model that has what mixes positions and mixes none; refute where it does."""
    if not isinstance(measurement, ContextUse):
        return
    if measurement.context > measurement.least_influence:
        status, place = Status.REFUTED, None
        message = "Earlier tokens move later outputs."
    elif mask_is_misplaced(record):
        return  # it shows each position what comes after it, and that is the root
    elif measurement.mixes_by and measurement.seeds == SEEDS:
        status, place = Status.CONFIRMED, place_of(measurement.context_place, record.target)
        message = "No earlier token moves the last output: each position sees itself alone."
    else:
        return  # a table of pairs of words has nothing that could
    yield Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=message,
        values={
            "length": measurement.length,
            "context": measurement.context,
            "precision": measurement.precision,
            "mixes_by": measurement.mixes_by,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """All tokens but the last exchanged."""
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # so that no gate is shut
text = random_ids(batch=1, length={values.get("length")})[0]
with torch.no_grad():
    context, _ = context_and_order(lambda ids: logits(model, ids), text, other_ids(text))
assert context > 1e-6, "no earlier token moves the last logits"
"""


SICK = """\
from torch import nn
from torch.nn import functional as F


class LonelyReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        logits = self.head(x + v)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="context-blind",
    severity=Severity.CRITICAL,
    summary="The outputs at a position do not depend on the tokens before it.",
    explanation=(
        "What attention, recurrence or convolution gives is dropped, multiplied by zero or never "
        "asked for, or a mask leaves each position only itself. A model that has nothing to mix "
        "positions with, such as a table of word pairs, is not meant."
    ),
    harm="The model can learn no more than which token tends to follow which.",
    confirmed_by=(
        "The probe context-use exchanges all tokens but the last, with moved weights, in double "
        "precision where the model runs in it: no change above 1e-12 of the largest output "
        "(1e-6 in single precision) with three seeds confirms it. A change refutes it."
    ),
    sick=SICK,
    healed=SICK.replace("x + v)", "x + mixed)"),
    convicts={PROBE: read_context},
    proof=Proof(
        measures=("probes.context_use:context_and_order", "probes.instruments.weights:jitter"),
        test=_test,
    ),
    explains=("GD106", "GD805"),
)
