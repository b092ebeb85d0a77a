"""GD605: the loss is taken of what only fills rows up."""

from __future__ import annotations

import ast
import textwrap
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
from gptdoctor.defect import Defect, Proof, Visit, attributes, calls
from gptdoctor.source.clamped_labels import clamped_labels
from gptdoctor.source.counted_padding import mean_of_all
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.label_marks import Marking, number_of
from gptdoctor.source.loss_calls import LossCall, losses_at, names_of
from gptdoctor.source.loss_tests import MEASURES, given, loss_of, watched
from gptdoctor.source.padded_labels import padded_labels
from gptdoctor.source.trained_padding import padding_trained

CODE = "GD605"
PROBE = "labels"
KINDS = ("cross_entropy", "nll_loss")
LEFT_OUT = -100  # by torch's losses, unless they are told another number


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for loss in losses_at(node, visit.project, visit.scope, visit.parents):
        told = loss.setting("ignore_index")
        ignored = LEFT_OUT if told is None else number_of(told, loss.function)
        plain = loss.kind in KINDS and ignored is not None
        marks = Marking(visit.project).of(loss.targets, loss.function) if plain else None
        wrong = sorted(one for one in marks or () if one != ignored)
        if wrong and ignored is not None:
            yield _of_other_mark(loss, wrong[0], ignored)
        elif loss.kind in KINDS:
            yield from _of_padding(loss, visit)


def _of_padding(loss: LossCall, visit: Visit) -> Iterator[Suspicion]:
    """Padding that is left out and counted all the same, or trained on."""
    mean = mean_of_all(loss)
    if mean is not None:
        yield _suspicion(
            loss,
            mean,
            f"`{text_of(mean)}` divides by the number of all positions, those included that the "
            "loss leaves out as padding",
        )
        return
    clamped = clamped_labels(loss)
    if clamped is not None:
        yield _suspicion(
            loss,
            clamped,
            f"`{text_of(clamped)}` makes class 0 of all labels that mark what is no target, and "
            "this loss trains positions to tell it",
        )
        return
    padding = padding_trained(loss, visit.project)
    if padding:
        yield _suspicion(
            loss,
            loss.call,
            f"The table of tokens has `padding_idx={padding}`, and this loss trains positions to "
            f"tell that token: it takes `ignore_index={padding}`",
        )
        return
    filling = padded_labels(loss, visit.project)
    if filling:
        yield _suspicion(
            loss,
            loss.call,
            f"`pad_sequence` fills labels up with {filling}, and this loss trains positions to "
            f"tell that class: fill up with {LEFT_OUT}, or ignore what fills up",
        )


def _suspicion(loss: LossCall, place: ast.Call, message: str) -> Suspicion:
    return Suspicion(
        rule=CODE,
        location=loss.function.module.location(place),
        symbol=loss.function.symbol,
        message=message,
        extent=(place.lineno, place.end_lineno or place.lineno),
    )


def _of_other_mark(loss: LossCall, mark: int, ignored: int) -> Suspicion:
    return _suspicion(
        loss,
        loss.call,
        f"`{ast.unparse(loss.targets)}` marks what is no target with {mark}, and this loss "
        f"leaves out {ignored}: a label of {mark} is no token",
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Labels):
        return
    for reading in measurement.readings:
        if reading.mark_counted is not None:
            yield _of_mark(reading, record)
        if reading.padding_counted is not None or reading.padding_error:
            yield _of_token(reading, record)


def _of_mark(reading: LossReading, record: ModelRecord) -> Conviction:
    """What becomes of labels that are marked as no targets."""
    target, counted = record.target, reading.mark_counted or 0
    place = reading.mark_lost if counted else reading.averaged
    sick = bool(counted or reading.divided_by_all)
    message = f"the loss of {target.name} leaves out labels of {reading.mark}"
    if counted:
        message = f"The loss of {target.name} trains positions whose label is {reading.mark}"
    elif sick:
        message = f"The loss of {target.name} is a mean over labels of {reading.mark} as well"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if sick else Status.REFUTED,
        probe=PROBE,
        place=place or reading.cross_entropy or Place(path=target.path, symbol=target.name),
        message=message,
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "mark": reading.mark,
            "positions_counted": counted,
            "divided_by_all": reading.divided_by_all,
            "loss_nats": reading.loss,
        },
    )


def _of_token(reading: LossReading, record: ModelRecord) -> Conviction:
    """What becomes of the token that the model declares as padding."""
    target, counted = record.target, reading.padding_counted or 0
    message = f"the loss of {target.name} leaves padding out"
    if reading.padding_error:
        message = (
            f"The loss of {target.name} fails for a row that ends with padding "
            f"({reading.padding}): {reading.padding_error.rstrip('.')}"
        )
    elif counted:
        message = f"The loss of {target.name} trains positions on padding ({reading.padding})"
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if counted or reading.padding_error else Status.REFUTED,
        probe=PROBE,
        place=reading.cross_entropy or Place(path=target.path, symbol=target.name),
        message=message,
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "padding": reading.padding,
            "positions_counted": counted,
            **({"error": reading.padding_error} if reading.padding_error else {}),
            "loss_nats": reading.loss,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """A row that ends with padding, and the tokens that its positions are pulled to."""
    if values.get("mark") is not None:
        return _test_of_mean(values) if values.get("divided_by_all") else _test_of_mark(values)
    token, value = str(values.get("padding", "")).rpartition(" = ")[2], loss_of(values)
    if not value or not token.isdigit():
        return ""
    return (
        "model = build()\n"
        "ids, labels = random_ids(), random_ids(seed=1).clamp(min=1)\n"
        f"ids[0, -2:] = labels[0, -2:] = {token}\n"
        f"{watched(value)}"
        f"counted = 0 if pulled is None else int((pulled.tokens[0, -3:] == {token}).sum())\n"
        'assert counted == 0, f"{counted} positions are trained on padding"\n'
    )


def _test_of_mark(values: Mapping[str, Value]) -> str:
    """Half a row that is marked as no target, and whether it is trained."""
    value = loss_of(values)
    return value and (
        f"{given(value)}"
        f"labels[0, T // 2 :] = {values['mark']}\n"
        f"{watched(value)}"
        "trained = 0 if pulled is None else int((pulled.tokens[0, T // 2 :] >= 0).sum())\n"
        'assert trained == 0, f"{trained} positions without a target are trained"\n'
    )


def _test_of_mean(values: Mapping[str, Value]) -> str:
    """How hard the other positions are pulled when half a row is marked as no target."""
    value = loss_of(values)
    return value and (
        "def pulls(labels):\n"
        "    model, ids = build(), random_ids()\n"
        f"{textwrap.indent(watched(value), '    ')}"
        "    return pulled\n"
        "\n"
        "labels = random_ids(seed=1)\n"
        "marked = labels.clone()\n"
        f"marked[0, T // 2 :] = {values['mark']}\n"
        "before, after = pulls(labels), pulls(marked)\n"
        "kept = (before.tokens >= 0) & (after.tokens >= 0)\n"
        "weight = (after.strengths / before.strengths)[kept].mean()\n"
        "# A mean over fewer labels gives each of them more.\n"
        'assert weight > 1.02, f"labels of no target count: the others weigh {weight:.2f} times"\n'
    )


SICK = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim, pad_id=0):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim, padding_idx=pad_id)
        self.pad_id = pad_id
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, labels=None):
        logits = self.lm_head(self.mix(self.wte(input_ids))[0])
        if labels is None:
            return logits, None
        goal = labels[:, 1:].masked_fill(labels[:, 1:] == self.pad_id, -1)
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), goal.flatten())
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="padding-in-loss",
    severity=Severity.MEDIUM,
    summary="Padding, or what is marked as no target, is trained on, or counted in the mean.",
    explanation=(
        "The model keeps the number of a padding token, and its loss neither ignores that token "
        "nor weighs it with nothing; or labels that torch leaves out (-100, or what the code says "
        "itself) are given a token before the loss; or the loss leaves them out of its sum and "
        "divides by the number of all labels. In text: labels that one function marks with a "
        "number below zero, by an assignment, `masked_fill`, `where`, `full` or padding, and hands "
        "to a loss that ignores another number, both written out; ids that are their own targets "
        "where the table of tokens has a `padding_idx`; labels that `pad_sequence` fills up with a "
        "class; and the mean over all of a loss for each position that a mask, or `ignore_index`, "
        "has set to zero where padding is. Not meant: a token that ends "
        "texts as well, models that leave it to the caller to mark what is no target with -100 "
        "(those of transformers, and those whose text speaks of -100), and a loss that ignores "
        "another number by its own word."
    ),
    harm=(
        "A batch of short rows trains the model mostly to say the padding token, and the loss "
        "looks better the more padding there is. A mark that the loss does not know stops training "
        "with an index out of range. Divided by all labels, a batch counts the less "
        "the shorter its texts are."
    ),
    confirmed_by=(
        "The probe labels fills the end of one row up, and reads from the gradient of the logits "
        "whether a position is pulled to the padding token. One that is confirms, and "
        "so does a loss that refuses the labels of such a row; none refutes. "
        "Half of a row of labels is marked as well: positions that are still trained confirm, and "
        "so does a mean in which the other positions weigh no more than before."
    ),
    sick=SICK,
    healed=SICK.replace("goal.flatten())", "goal.flatten(), ignore_index=-1)"),
    suspects={calls(*names_of(*KINDS)): _suspect, attributes(*KINDS): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(measures=MEASURES, test=_test),
)
