"""GD902: the forward or the backward pass gives NaN or infinities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.finite_values import (
    FiniteCase,
    FiniteValues,
    Spoiled,
    Uninitialised,
)
from gptdoctor.core.measurements.learning import Learning
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD902"
NAMES_SHOWN = 3
_CAUSES = {
    "masked row": "every score of some row is masked here, and its softmax is NaN",
    "overflow": "an infinity comes of finite numbers here",
    "slope": "the slope of this operation is not finite where it is used",
    "value": "NaN comes of numbers that are not NaN here",
}


def read_values(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the first float32 pass that is not finite, and weights that nobody gives values."""
    if not isinstance(measurement, FiniteValues):
        return
    for one in measurement.uninitialised[:1]:
        yield _left_out(one, len(measurement.uninitialised), record)
    cases = [case for case in measurement.cases if case.precision == "float32" and case.measured]
    spoiled = next((case for case in cases if case.where), None)
    if spoiled is not None and not measurement.uninitialised:
        yield _conviction(spoiled, record)
    elif spoiled is None and len(cases) > 1:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe="finite-values",
            place=None,
            message="All numbers of the forward and the backward pass are finite.",
            values={"passes": len(cases)},
        )


def read_learning(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a loss that starts finite and ends in NaN at every rate that was tried."""
    if not isinstance(measurement, Learning) or not measurement.runs or _is_known(record):
        return
    runs = measurement.runs
    starts = all(run.first_loss - run.first_loss == 0.0 for run in runs)
    if starts and len(runs) > 1 and not any(run.stays_finite for run in runs):
        steps = max(run.steps for run in runs)
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe="learning",
            place=Place(path=record.target.path, symbol=record.target.name),
            message=(
                f"The loss is finite at first and not after {steps} steps at most, at every "
                f"learning rate of {len(runs)}."
            ),
            values={"what": "the loss", "steps": steps, "rates": len(runs)},
        )


def _is_known(record: ModelRecord) -> bool:
    """Whether a pass without any step is told to be not finite: that is why."""
    return any(
        bool(one.uninitialised) or any(case.where for case in one.cases)
        for one in record.told(FiniteValues)
    )


def place_of(found: Spoiled | Uninitialised | None, record: ModelRecord) -> Place:
    """The line of the operation; the class of the model where that is not the user's."""
    if found is None or not found.path:
        return Place(path=record.target.path, symbol=record.target.name)
    return Place(path=found.path, symbol=found.symbol, line=found.line)


def what_is_spoiled(case: FiniteCase) -> str:
    """What is not finite, in words: "the gradients of a, b and 3 more"."""
    if case.where == "outputs":
        return "what the model gives in evaluation mode"
    if case.where not in ("gradients", "weights"):
        return "the loss"
    more = len(case.names) - NAMES_SHOWN
    names = ", ".join(case.names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"the {case.where} of {names}"


def _conviction(case: FiniteCase, record: ModelRecord) -> Conviction:
    what, spoiled = what_is_spoiled(case), case.spoiled
    cause = _CAUSES.get(spoiled.cause, "") if spoiled is not None else ""
    weights = "with weights moved by a hair" if case.moved else "with the weights as built"
    weights += ", in training mode it is finite" if case.evaluating else ""
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe="finite-values",
        place=place_of(spoiled, record),
        message=f"{what[0].upper()}{what[1:]} cannot be used: " + (cause or "not finite") + ".",
        values={
            "what": what,
            "where": case.where,
            "operation": spoiled.operation if spoiled is not None else "",
            "result": spoiled.result if spoiled is not None else "",
            "cause": cause,
            "weights": weights,
        },
    )


def _left_out(one: Uninitialised, number: int, record: ModelRecord) -> Conviction:
    others = f" (and {number - 1} more)" if number > 1 else ""
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe="finite-values",
        place=place_of(one, record),
        message=(
            f"Nothing gives {one.name}{others} its first values: it holds whatever the memory "
            "held before, which is another thing in every run."
        ),
        values={"uninitialised": one.name, "uninitialised_parameters": number},
    )


def _test(values: Mapping[str, Value]) -> str:
    """Loss and gradients of one pass, or what is in weights of fresh memory."""
    if values.get("steps") is not None:
        return ""
    if values.get("uninitialised"):
        return (
            "with empty_is_nan():\n"
            "    model = build()\n"
            "assert not left_empty(model), f\"nothing fills {', '.join(left_empty(model))}\"\n"
        )
    if values.get("where") == "outputs":
        return (
            "with torch.no_grad():\n"
            "    found = logits(build().eval(), random_ids())\n"
            'assert not found.isnan().any(), "what it gives in evaluation mode is no number"\n'
        )
    model = "moved(build(), 0)" if "moved" in str(values.get("weights")) else "build()"
    return (
        f"model = {model}\n"
        "found = loss(model, random_ids())\n"
        'assert found.isfinite(), f"the loss is {found.item()}"\n'
        "found.backward()\n"
        "spoiled = not_finite({name: each.grad for name, each in model.named_parameters()})\n"
        "assert not spoiled, f\"the gradients of {', '.join(spoiled)} are not finite\"\n"
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class LengthReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        states, _ = self.mix(x)
        lengths = (states - states[:, :1]).pow(2).sum(dim=-1, keepdim=True).sqrt()
        logits = self.head(states * (1 + lengths))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="non-finite",
    severity=Severity.CRITICAL,
    summary="The loss or a gradient is NaN or infinite.",
    explanation=(
        "With ordinary inputs the forward or the backward pass in float32 makes NaN or an "
        "infinity of finite numbers: a row of scores that is masked altogether, a logarithm or a "
        "division of zero, an overflow of exp, a root or a norm at zero, whose slope is infinite. "
        "A weight that was made with `torch.empty` and never given values is meant as well, and "
        "a model whose outputs are NaN in evaluation mode alone. "
        "Infinities in masks are not. The text does not show this; only a run does."
    ),
    harm=(
        "One number that is not finite makes all weights NaN in the first step, and nothing is "
        "learned after that; outputs that are NaN are of no use."
    ),
    confirmed_by=(
        "The probe finite-values runs forward and backward in float32, with the weights as built "
        "and with weights moved a little, and forward in evaluation mode: anything that is not "
        "finite confirms it, at the first operation that was given finite numbers and made "
        "others, or that was told a finite gradient and passed on another. The model is built once "
        "more where fresh memory reads as NaN: a loss that is NaN then confirms a weight without "
        "first values."
    ),
    sick=SICK,
    healed=SICK.replace(".sum(dim=-1, keepdim=True)", ".sum(dim=-1, keepdim=True).add(1e-6)"),
    convicts={"finite-values": read_values, "learning": read_learning},
    explains=("GD903", "GD901", "GD904", "GD905", "GD906", "GD909"),
    proof=Proof(
        measures=(
            "probes.finite_values:moved",
            "probes.finite_values:not_finite",
            "probes.instruments.uninitialised:empty_is_nan",
            "probes.instruments.uninitialised:left_empty",
        ),
        test=_test,
    ),
)
