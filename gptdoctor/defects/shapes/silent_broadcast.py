"""GD303: each row of the batch meets every other row, by one dimension too many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import Shapes
from gptdoctor.defect import Defect, Proof

CODE = "GD303"
PROBE = "shapes"


def read_shapes(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the operations that pair each row of the batch with every other."""
    if not isinstance(measurement, Shapes):
        return
    for one in measurement.spread:
        first, second, result = (str(list(each)) for each in (one.first, one.second, one.result))
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=PROBE,
            place=one.place,
            message=(
                f"{one.operation} of {first} and {second} makes {result}: each row of the batch "
                "meets every other, where one dimension too many was left."
            ),
            values={
                "operation": one.operation,
                "first_shape": one.first,
                "second_shape": one.second,
                "result_shape": one.result,
                "call": one.call,
            },
        )


def _test(values: Mapping[str, Value]) -> str:
    """The operations of the loss that pair each row with every other."""
    call = str(values.get("call") or "")
    made, value = "", "loss(build(), ids)"
    if call:
        made, value = "model, labels = build(), random_ids(seed=1, batch=7, length=5)\n", call
    return f"""\
ids = random_ids(batch=7, length=5)  # 7, 35 and 28, of a shift, count rows, and nothing else
{made}with SpreadWatch({{7, 35, 28}}) as watch:
    {value}
assert not watch.found, f"each row meets every other in {{watch.found}}"
"""


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reader(nn.Module):
    def __init__(self, vocab_size, width, heads=4):
        super().__init__()
        self.heads = heads
        self.embedding = nn.Embedding(vocab_size, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        batch, length = ids.shape
        parts = self.qkv(self.embedding(ids)).chunk(3, dim=-1)
        shape = batch, length, self.heads, -1
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        logits = self.head(y.transpose(1, 2).flatten(2))
        flat, aims = logits.view(-1, logits.size(-1)), targets.flatten()
        each = F.cross_entropy(flat, aims, reduction="none")
        return logits, (each[:, None] * (aims > 0)).mean()
"""

DEFECT = Defect(
    code=CODE,
    name="silent-broadcast",
    severity=Severity.HIGH,
    summary="Two results of a batch are combined row by column instead of row by row.",
    explanation=(
        "One operand is (N, 1) and the other (N,), where N counts the rows or the tokens of a "
        "batch: torch lays them out as a table of N x N pairs. Tables that are meant are written "
        "(N, 1) and (1, N), or with None on both sides, and are left alone, and so are masks, "
        "biases of positions and comparisons with a range: only rows of the batch against rows of "
        "the batch are meant, in what leads to the model's own loss."
    ),
    harm=(
        "The loss compares every row with the targets of all others. What it is least for is the "
        "average of them all: the model learns to ignore its input there."
    ),
    confirmed_by=(
        "The probe shapes runs the model's own loss with a batch and a length that no other size "
        "equals, and looks at the shapes of what is added, multiplied or compared. Operands (.., "
        "N, 1) and (N,) with a gradient confirm it."
    ),
    sick=SICK,
    healed=SICK.replace(
        "each[:, None] * (aims > 0)",
        "each * (aims > 0)",
    ),
    convicts={PROBE: read_shapes},
    proof=Proof(measures=("probes.instruments.spread_rows:SpreadWatch",), test=_test),
)
