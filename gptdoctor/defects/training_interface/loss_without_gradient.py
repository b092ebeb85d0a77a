"""GD606: the loss that a call returns for its labels is a number that trains nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import (
    Conviction,
    Place,
    Severity,
    Status,
    Suspicion,
    Value,
)
from gptdoctor.core.measurements.labels import Labels, LossReading
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Named, Proof, Visit
from gptdoctor.source.classes import FUNCTIONS, ClassInfo
from gptdoctor.source.flow_functions import Function, functions_of
from gptdoctor.source.loss_calls import methods_may_call_losses, says_loss
from gptdoctor.source.loss_tests import MEASURES, given, loss_of, pulls
from gptdoctor.source.returned_losses import cut_losses, helpers_returned, may_cut

CODE = "GD606"
PROBE = "labels"
_HOW = {
    "no_grad": "is computed without recording gradients",
    "detach": "is detached",
    "data": "is taken through .data",
    "item": "is turned into a plain number",
    "__float__": "is turned into a plain number",
    "tensor": "is copied into a new tensor",
    "float": "is turned into a plain number",
}
_COPIED = "is turned into plain numbers"


# What training calls for a loss; methods of other names may evaluate.
_TRAINING = ("forward", "training_step", "compute_loss")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    if not isinstance(node, FUNCTIONS) or not says_loss(visit.module):
        return
    owner = visit.owner
    if owner is None or not methods_may_call_losses(owner):
        return
    own = may_cut(node, visit.module)
    if not own and not _has_helper(owner):
        return
    function = functions_of(visit.project, visit.module).get(node)
    if function is None or not function.method or not visit.project.is_network(owner):
        return
    if own:
        yield from _suspicions(function)
    for helper in helpers_returned(function, visit.project):
        if helper.name not in _TRAINING:  # those are asked by themselves
            yield from _suspicions(helper)


def _has_helper(owner: ClassInfo) -> bool:
    """Whether a method of another name makes a loss that forward may return."""
    return any("loss" in name and name not in _TRAINING for name in owner.methods)


def _suspicions(function: Function) -> Iterator[Suspicion]:
    for cut in cut_losses(function):
        loss, place = cut.loss.call, cut.place
        yield Suspicion(
            rule=CODE,
            location=function.module.location(place),
            symbol=function.symbol,
            message=(
                f"The loss that `{function.symbol}` returns {_HOW.get(cut.word, _COPIED)}: no "
                "step can be taken with it"
            ),
            details={"cut_by": cut.word},
            extent=(place.lineno, max(place.end_lineno or 0, loss.end_lineno or 0)),
        )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Labels):
        return
    heard = any(reading.hears and reading.targets for reading in measurement.readings)
    told: set[Place | None] = set()  # a step that hands another's loss on is no second finding
    for reading in measurement.readings:
        if reading.hears and reading.cut is None:
            yield _conviction(reading, record, Status.REFUTED, reading.cross_entropy)
        elif reading.logits_live and not heard and not _for_the_eye(reading):
            # Another loss of labels that is heard makes this one a report for the eye.
            place = reading.cut or reading.cross_entropy
            if place is None or place not in told:
                yield _conviction(reading, record, Status.CONFIRMED, place)
            told.add(place)


def _for_the_eye(reading: LossReading) -> bool:
    """Whether a method computes its loss without gradients, as one that evaluates does."""
    evaluates = not reading.by_entry and not reading.training_step
    return evaluates and reading.cut_by == "no_grad"


def _conviction(
    reading: LossReading, record: ModelRecord, status: Status, place: Place | None
) -> Conviction:
    target = record.target
    how = _HOW.get(reading.cut_by, "reaches no parameter")
    part = ", as far as it is made of its labels," if reading.hears else ""
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place or Place(path=target.path, symbol=target.name),
        message=(
            f"The loss of {target.name}{part} {how}: no step can be taken with it"
            if status is Status.CONFIRMED
            else f"the loss of {target.name} reaches its parameters"
        ),
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "loss_nats": reading.loss,
            "of_classes": reading.of_classes,
            "cut_by": reading.cut_by,
            "logits_live": reading.logits_live,
            "part": reading.hears and status is Status.CONFIRMED,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The loss that a call returns for its labels."""
    value = loss_of(values)
    if values.get("part"):
        return value and (
            f"{pulls(values)}"
            'assert pulled is not None, "no logits hear of what is made of the labels"\n'
        )
    return value and (
        f"{given(value, classes=values.get('of_classes') is True)}"
        f"found = {value}\n"
        "if found is not None and found.requires_grad:\n"
        "    found.backward()\n"
        "assert any(one.grad is not None for one in model.parameters()), (\n"
        '    f"no parameter hears of the loss {found}"\n'
        ")\n"
    )


SICK = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, labels=None):
        logits = self.lm_head(self.mix(self.wte(input_ids))[0])
        if labels is None:
            return logits, None
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()).detach()
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="loss-without-gradient",
    severity=Severity.CRITICAL,
    summary="The loss that a call returns for its labels reaches no parameter, and the logits do.",
    explanation=(
        "The loss, or the logits that it is made of, is detached, turned into a number or computed "
        "under no_grad; or that part of it which is made of the labels is, and only a penalty on "
        "something else is heard; one cut loss among several that a setting picks from is enough. "
        "Not meant: a model that gives another loss, which its parameters "
        "hear of, a method that evaluates, and a model whose whole forward pass records nothing, "
        "which is another rule's."
    ),
    harm="Backward fails or does nothing: whoever trains with the returned loss trains nothing.",
    confirmed_by=(
        "The probe labels calls the model with labels. A loss that no parameter hears of, where "
        "the logits could be trained, confirms, and so does one that moves with its labels while "
        "only other terms are heard; a loss that is heard refutes. The line is where "
        "the loss, or what it is made of, left the graph."
    ),
    sick=SICK,
    healed=SICK.replace(".detach()", ""),
    suspects={Named(ast.FunctionDef, _TRAINING): _suspect},
    convicts={PROBE: _convict},
    explains=("GD903",),
    proof=Proof(measures=MEASURES, test=_test),
)
