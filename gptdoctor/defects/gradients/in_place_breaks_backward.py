"""GD105: a tensor is written over that backward still needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.gradient_flow import GradientFlow, InPlaceWrite
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD105"
PROBE = "gradient-flow"
# How torch refuses a write into a parameter, at the very line.
LEAF = re.compile(r"leaf Variable that requires grad .*in-place operation")


def read_flow(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the write that made backward fail; where backward runs, no write did."""
    if not isinstance(measurement, GradientFlow):
        return
    crash, write = measurement.crash, measurement.in_place
    if crash is None:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="Backward finds all that it needs as forward left it.",
            values={"objective": measurement.objective},
        )
    elif write is not None:
        yield _conviction(write, crash)
    else:
        yield from _refused(crash, PROBE)


def read_construction(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the line at which torch refuses to write into a parameter."""
    if isinstance(measurement, Construction) and measurement.crash is not None:
        yield from _refused(measurement.crash, "construction")


def _conviction(write: InPlaceWrite, crash: Crash) -> Conviction:
    operation = _written(write.operation)
    kept = f", which line {write.needed_line} needs" if write.needed_line else ""
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=write.path, symbol=write.symbol, line=write.line),
        message=(
            f"{operation} writes over a tensor that backward needs as it was{kept}: the backward "
            f"pass ends with an error."
        ),
        values={
            "operation": write.operation,
            "needed_line": write.needed_line,
            **_error(crash),
        },
    )


def _refused(crash: Crash, probe: str) -> Iterator[Conviction]:
    if LEAF.search(crash.message) and crash.path is not None and crash.line is not None:
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=probe,
            place=Place(path=crash.path, symbol=crash.symbol, line=crash.line),
            message=(
                "A parameter that asks for a gradient is written over in place: torch refuses it."
            ),
            values=_error(crash),
        )


def _error(crash: Crash) -> dict[str, Value]:
    first = crash.message.strip().partition(" Hint:")[0].splitlines()[0]
    return {"stage": crash.stage, "error": f"{crash.kind}: {first}"}


def _written(operation: str) -> str:
    """The operation as the text has it: "an assignment to a part", "`add_`"."""
    return "The assignment" if operation == "__setitem__" else f"`{operation}`"


def _test(values: Mapping[str, Value]) -> str:
    """A step backward, which torch refuses today."""
    return "loss(build(), random_ids()).backward()\n"


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Gated(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.gate = nn.Linear(width, width)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets):
        x = self.tokens(ids)
        gate = torch.sigmoid(self.gate(x))
        gate += 0.5
        logits = self.head(x * gate)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="in-place-breaks-backward",
    severity=Severity.CRITICAL,
    summary="A tensor is written over that backward still needs.",
    explanation=(
        "An operation that changes a tensor in place (`+=`, `add_`, `masked_fill_`, an assignment "
        "to a part of it, `inplace=True`) follows one whose derivative is computed from that very "
        "tensor, or it changes a parameter itself. Writes into tensors that nothing before them "
        "needs again are right."
    ),
    harm="The backward pass ends with an error, which names neither the write nor its line.",
    confirmed_by=(
        "The probe gradient-flow sees backward fail, and runs forward once more with a watch over "
        "what torch keeps for backward and over all writes: the first write after which what was "
        "kept has another version is the place."
    ),
    sick=SICK,
    healed=SICK.replace("gate += 0.5", "gate = gate + 0.5"),
    convicts={PROBE: read_flow, "construction": read_construction},
    explains=("GD903",),
    proof=Proof(test=_test),
)
