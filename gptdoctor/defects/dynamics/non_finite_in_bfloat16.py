"""GD909: what is finite in float32 is not under autocast to bfloat16."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.finite_values import FiniteCase, FiniteValues
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD909"


def read_values(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a bfloat16 pass that is not finite where both float32 passes are."""
    if not isinstance(measurement, FiniteValues):
        return
    cases = [case for case in measurement.cases if case.measured]
    if any(case.where for case in cases if case.precision == "float32"):
        return
    for case in cases:
        if case.precision == "bfloat16" and case.where:
            yield _conviction(case, record)
        elif case.precision == "bfloat16":
            yield Conviction(
                rule=CODE,
                status=Status.REFUTED,
                probe="finite-values",
                place=None,
                message="Under autocast to bfloat16 all numbers are finite.",
                values={"passes": 1},
            )


def _conviction(case: FiniteCase, record: ModelRecord) -> Conviction:
    spoiled = case.spoiled
    place = Place(path=record.target.path, symbol=record.target.name)
    if spoiled is not None and spoiled.path:
        place = Place(path=spoiled.path, symbol=spoiled.symbol, line=spoiled.line)
    constant = case.where == "constant"
    told = (
        "bfloat16 cannot hold the number that is written here, and torch refuses it"
        if constant
        else "this is finite in float32 and not under autocast to bfloat16"
    )
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe="finite-values",
        place=place,
        message=f"Training in mixed precision fails: {told}.",
        values={
            "where": case.where,
            "operation": spoiled.operation if spoiled is not None else "",
            "result": spoiled.result if spoiled is not None else "",
            # How torch refuses a number that bfloat16 cannot hold.
            "error": "RuntimeError" if constant else None,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """Loss and gradients of one pass under autocast."""
    return """\
model = build()
with torch.autocast("cpu", dtype=torch.bfloat16):
    found = loss(model, random_ids())
assert found.isfinite(), f"the loss is {found.item()}"
found.backward()
spoiled = not_finite({name: each.grad for name, each in model.named_parameters()})
assert not spoiled, f"the gradients of {', '.join(spoiled)} are not finite"
"""


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class SoftReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        scores = self.q(x) @ self.k(x).transpose(1, 2) / x.shape[-1] ** 0.5
        future = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, torch.finfo(torch.float32).min)
        logits = self.head(x + scores.softmax(dim=-1).type_as(x) @ x)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="non-finite-in-bfloat16",
    severity=Severity.MEDIUM,
    summary="What is finite in float32 is not under autocast to bfloat16.",
    explanation=(
        "A constant that only float32 can hold (`torch.finfo(torch.float32).min` in a tensor that "
        "autocast made bfloat16), or an epsilon that is lost in rounding: the same pass that is "
        "finite in float32 fails under `torch.autocast(dtype=torch.bfloat16)`, with which most "
        "models of any size are trained. Kernels that are missing for bfloat16 are not meant."
    ),
    harm="The first step in mixed precision crashes, or makes all weights NaN.",
    confirmed_by=(
        "The probe finite-values runs forward and backward once more under autocast to bfloat16, "
        "where the float32 passes are finite: a loss or a gradient that is not finite confirms it, "
        "and so does torch's refusal of a number that overflows. Any other error there is told as "
        "not measured."
    ),
    sick=SICK,
    healed=SICK.replace("torch.finfo(torch.float32).min", "torch.finfo(scores.dtype).min"),
    convicts={"finite-values": read_values},
    proof=Proof(measures=("probes.finite_values:not_finite",), test=_test),
)
