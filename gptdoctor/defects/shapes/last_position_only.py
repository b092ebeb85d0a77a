"""GD307: only the last position of a text gets logits, also where the model is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import Shapes
from gptdoctor.defect import Defect, Proof

CODE = "GD307"
PROBE = "shapes"


def read_shapes(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the operation that drops positions which could have been trained."""
    found = measurement.last_only if isinstance(measurement, Shapes) else None
    # What the user says to read later text is no model that predicts the next token everywhere.
    if found is None or record.target.causal is False:
        return
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=found.place,
        message=(
            f"{found.operation} leaves {list(found.after)} of {list(found.before)}: the last of "
            f"{found.length} positions alone gets logits, in training as well, though each reads "
            "no more than the text before it and could be trained."
        ),
        values={
            "operation": found.operation,
            "before_shape": found.before,
            "after_shape": found.after,
            "length": found.length,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The number of positions that logits come for."""
    return (
        "found = logits(build().train(), random_ids(batch=2, length=11)).flatten(1, -2)\n"
        "assert found.shape[1] == 11, tuple(found.shape)\n"
    )


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
        self.out = nn.Parameter(torch.randn(width, vocab_size) / width**0.5)

    def forward(self, ids):
        batch, length = ids.shape
        parts = self.qkv(self.embedding(ids)).chunk(3, dim=-1)
        shape = batch, length, self.heads, -1
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return y.transpose(1, 2).flatten(2)[:, -1] @ self.out


def train(model, batches, optimizer):
    for ids in batches:
        loss = F.cross_entropy(model(ids[:, :-1]), ids[:, -1])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
"""

DEFECT = Defect(
    code=CODE,
    name="last-position-only",
    severity=Severity.LOW,
    summary="Only the last position gets logits, also in training.",
    explanation=(
        "The model computes all positions of a text, none of which reads what comes after it, and "
        "gives the last one alone to its head. That is right for generating, where the other "
        "positions are known. A model that gives logits for all as soon as it is given targets, "
        "one that reads the whole text for each position, and one with a loss of its own are not "
        "meant."
    ),
    harm=(
        "A pass over T tokens trains one prediction instead of T: training takes many times as "
        "long, and a loss that expects [B, T, V] fails or pairs the wrong rows."
    ),
    confirmed_by=(
        "The probe shapes follows the logits back to the operation that was given T positions and "
        "left one, and changes the last token: it confirms where no position before that one moves."
    ),
    sick=SICK,
    healed=SICK.replace(".flatten(2)[:, -1] @", ".flatten(2) @").replace(
        "model(ids[:, :-1]), ids[:, -1]", "model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()"
    ),
    convicts={PROBE: read_shapes},
    proof=Proof(test=_test),
)
