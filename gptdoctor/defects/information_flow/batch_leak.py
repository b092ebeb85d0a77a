"""GD802: the rows of a batch move each other's outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.batch_isolation import BatchIsolation
from gptdoctor.core.measurements.information import SEEDS, place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD802"
PROBE = "batch-isolation"


def read_rows(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict rows that mix with all seeds and at all lengths; refute where they do not."""
    if not isinstance(measurement, BatchIsolation):
        return
    least = measurement.least_influence
    alone = (measurement.against_one or 0.0) > measurement.least_against_one
    mixed = max(measurement.from_others, measurement.to_others) > least or alone
    held = measurement.seeds_leaking == SEEDS
    if mixed and held and measurement.lengths_leaking == measurement.lengths_compared:
        status, place = Status.CONFIRMED, place_of(measurement.place, record.target)
        message = "The outputs of one row of a batch depend on the other rows."
    elif not mixed:
        status, place = Status.REFUTED, None
        message = "No row of a batch moves another."
    else:
        return
    yield Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=message,
        values={
            "batch": measurement.batch,
            "length": measurement.length,
            "from_others": measurement.from_others,
            "to_others": measurement.to_others,
            "against_one": measurement.against_one,
            "operation": measurement.place.operation if measurement.place else "",
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Row 0 alone, and all but row 0, exchanged."""
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # small first weights hide what flows
ids = random_ids(batch={values.get("batch")}, length={values.get("length")})
others, first = ids.clone(), ids.clone()
others[1:], first[:1] = other_ids(ids)[1:], other_ids(ids)[:1]
with torch.no_grad():
    moved = measure_rows(lambda rows: logits(model, rows), ids, others, first)
assert max(moved) <= 1e-5, f"rows of a batch move each other's logits by {{max(moved):.2g}}"
"""


SICK = """\
from torch import nn
from torch.nn import functional as F


class CrowdedReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.memory(self.embedding(ids))[0]
        centred = x - x.mean(dim=0, keepdim=True)
        logits = self.head(centred)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="batch-leak",
    severity=Severity.CRITICAL,
    summary="The rows of a batch see each other.",
    explanation=(
        "Something is computed over the batch that belongs to one sample: a mean or a softmax over "
        "dimension 0, a view that puts tokens of one row into another where a transpose was "
        "meant, statistics of the batch in evaluation. Batch normalisation in training, experts "
        "with room for so many tokens, experts that choose among the tokens of a batch, and heads "
        "that compare the samples of a batch are not meant."
    ),
    harm=(
        "What the model says of one text depends on which others it is batched with. In training "
        "it learns from samples that it will not have later; results cannot be repeated, and "
        "one user's text reaches another's answer."
    ),
    confirmed_by=(
        "The probe batch-isolation exchanges all rows but the first, then the first alone, and "
        "compares a row in a batch with the same row alone, in evaluation and with moved weights. "
        "A change above 1e-5 of the largest output with three seeds and at all lengths confirms "
        "it; two recorded runs show the operation. No change refutes it."
    ),
    sick=SICK,
    healed=SICK.replace("dim=0", "dim=-1"),
    convicts={PROBE: read_rows},
    proof=Proof(
        measures=("probes.batch_isolation:measure_rows", "probes.instruments.weights:jitter"),
        test=_test,
    ),
    explains=("GD803",),
)
