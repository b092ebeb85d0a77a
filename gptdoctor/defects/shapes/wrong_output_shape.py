"""GD304: the logits have another form at some batches or lengths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import ExchangedLogits, ShapeCase, Shapes
from gptdoctor.defect import Defect, Proof

CODE = "GD304"
PROBE = "shapes"


def read_shapes(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the first line that gives logits another form, in the case that tells it best."""
    if not isinstance(measurement, Shapes):
        return
    target = record.target
    entry = target.entry_place
    if measurement.exchanged is not None:
        yield _exchanged(measurement.exchanged)
        return
    seen = set()
    for case, works in measurement.odd_forms():
        place = case.odd or entry
        if place not in seen:
            seen.add(place)
            yield _confirmed(case, works, place)
        if case.odd is None:
            return


def _confirmed(case: ShapeCase, works: ShapeCase, place: Place) -> Conviction:
    wrong, right = (list(one.returned or one.logits_shape or ()) for one in (case, works))
    culprit = f"{case.odd_operation} here gives" if case.odd is not None else "The model gives"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=place,
        message=(
            f"{culprit} logits of the shape {wrong} at B={case.batch}, T={case.length}, and "
            f"{right} at B={works.batch}, T={works.length}."
        ),
        values={
            "case": f"B={case.batch} T={case.length}",
            "logits_shape": tuple(wrong),
            "works_at": f"B={works.batch} T={works.length}",
            "works_shape": tuple(right),
            "operation": case.odd_operation or None,
        },
        symptom=True,
    )


def _exchanged(found: ExchangedLogits) -> Conviction:
    batch, length, wrong = found.batch, found.length, list(found.shape)
    right = (batch, length, found.vocabulary) if len(wrong) == 3 else (batch * length, wrong[-1])
    sizes = f"B={batch} T={length}"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=found.place,
        message=(
            f"{found.operation} here puts the time before the batch: at B={batch}, T={length} the "
            f"logits have the shape {wrong}, with the rows of position 0 first, where ids are "
            "given as [B, T]."
        ),
        values={
            "case": sizes,
            "logits_shape": found.shape,
            "works_at": sizes,
            "works_shape": right,
            "operation": found.operation,
            "call": found.call,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The shape of the logits at those sizes, by the one that they have where it works."""
    sizes, works = (re.findall(r"\d+", str(values.get(key))) for key in ("case", "works_at"))
    shape = values.get("works_shape")
    if not isinstance(shape, tuple) or len(sizes) != 2 or not 2 <= len(shape) <= 3:
        return ""
    batch, length = sizes
    if values.get("call"):
        return _test_of_order(str(values["call"]), batch, length) if len(shape) == 3 else ""
    positions = [length if str(each) == works[1] else str(each) for each in shape[1:-1]]
    wanted = ", ".join([batch, *positions, "V"])
    return (
        f"found = logits(build(), random_ids(batch={batch}, length={length}))\n"
        f"assert found.shape == ({wanted}), tuple(found.shape)\n"
    )


def _test_of_order(call: str, batch: str, length: str) -> str:
    """Which size comes first in what is as wide as the vocabulary."""
    return (
        f"model, ids = build(), random_ids(batch={batch}, length={length})\n"
        f"shapes = [tuple(each.shape) for _, each in tensors_in({call})]\n"
        "logits_shape = next(each for each in shapes if len(each) == 3 and each[-1] == V)\n"
        f"assert logits_shape == ({batch}, {length}, V), logits_shape\n"
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
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        batch, length = ids.shape
        parts = self.qkv(self.embedding(ids)).chunk(3, dim=-1)
        shape = batch, length, self.heads, -1
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        logits = self.head(y.transpose(1, 2).flatten(2)).squeeze()
        flat, aims = logits.view(-1, logits.size(-1)), targets.flatten()
        each = F.cross_entropy(flat, aims, reduction="none")
        return logits, (each * (aims > 0)).mean()
"""

DEFECT = Defect(
    code=CODE,
    name="wrong-output-shape",
    severity=Severity.HIGH,
    summary="At some batches or lengths the logits lose a dimension, or have one of another size.",
    explanation=(
        "`squeeze()` drops the dimension of a batch of one row or of a single position, and a "
        "`view` with a number of its own fits some sizes only. Logits of the last position, "
        "flattened logits and positions that stand before the text are right as long as they are "
        "the same everywhere. So are logits [T, B, V] of a model that is given [T, B], and those "
        "for which the labels are turned as well. A code that crashes is GD302."
    ),
    harm=(
        "A single prompt, or the last short batch of an epoch, gives logits that other code takes "
        "for something else: a loss over the wrong rows, or a sampler that reads the wrong "
        "position."
    ),
    confirmed_by=(
        "The probe shapes runs the model at batches and lengths that differ, agree, or are one. "
        "Logits of another form confirm it, at the first reshape that does not go with B and T as "
        "it does where all is right; without such a line only where another batch works at the "
        "same length. So do logits that come out as [T, B, V] though ids go in as [B, T]."
    ),
    sick=SICK,
    healed=SICK.replace(
        "flatten(2)).squeeze()",
        "flatten(2))",
    ),
    convicts={PROBE: read_shapes},
    explains=("GD801", "GD802"),
    proof=Proof(measures=("specimen.outputs:tensors_in",), test=_test),
)
