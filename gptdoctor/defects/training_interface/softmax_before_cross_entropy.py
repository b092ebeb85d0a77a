"""GD604: a cross-entropy is given probabilities, of which it takes the softmax again."""

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
from gptdoctor.defect import Defect, Proof, Visit, attributes, calls
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.given_scores import Given, scores_given
from gptdoctor.source.loss_calls import LossCall, losses_at, names_of
from gptdoctor.source.loss_tests import given, loss_of
from gptdoctor.source.model_calls import helper_called

CODE = "GD604"
PROBE = "labels"
# Two of which take the softmax, or its logarithm, for granted.
_LOSSES = ("cross_entropy", "nll_loss")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for loss in losses_at(node, visit.project, visit.scope, visit.parents):
        if loss.kind in _LOSSES:
            found = scores_given(loss.scores, loss.function, visit.project)
            if found is not None and found.scores.kind == "softmax":
                yield _suspicion(loss, found)


def _suspicion(loss: LossCall, found: Given) -> Suspicion:
    """At the softmax; at the loss, where a network, a helper or a caller makes the softmax."""
    made, text, home = found.scores.made, text_of(found.scores.made), found.function
    place = made if found.here else loss.call
    first, last = sorted((place.lineno, loss.call.end_lineno or loss.call.lineno))
    where = "" if home == loss.function else f" in `{home.symbol or home.module.path}`"
    return Suspicion(
        rule=CODE,
        location=loss.function.module.location(place),
        symbol=loss.function.symbol,
        message=(
            f"`{text}`{where} gives probabilities, and `{text_of(loss.call.func)}` wants "
            "logits, or logarithms: the loss hardly moves"
        ),
        details={"softmax": text},
        extent=(first, last),
        also_at=_lines_of(made, home) if home.module is loss.function.module else frozenset(),
    )


def _lines_of(made: ast.expr, function: Function) -> frozenset[int]:
    """Where a run may see the softmax: the lines of what makes it, those of a helper included."""
    helper = helper_called(made, function) if isinstance(made, ast.Call) else None
    inside = () if helper is None else range(helper.lineno, (helper.end_lineno or 0) + 1)
    return frozenset({made.lineno, *inside})


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Labels):
        return
    for reading in measurement.readings:
        if reading.probabilities is None or reading.cross_entropy is None:
            continue
        status = Status.CONFIRMED if reading.probabilities else Status.REFUTED
        yield _conviction(reading, record, status, reading.softmax or reading.cross_entropy)


def _conviction(
    reading: LossReading, record: ModelRecord, status: Status, place: Place
) -> Conviction:
    given = "probabilities" if reading.probabilities else "logits"
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=f"The cross-entropy of {record.target.name} is given {given}",
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "loss_nats": reading.loss,
            "of_classes": reading.of_classes,
            "probabilities": reading.probabilities,
            "line": None if reading.cross_entropy is None else reading.cross_entropy.line,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """What the losses are given while the model makes its own."""
    value = loss_of(values)
    return value and (
        "from unittest import mock\n"
        "seen = []\n"
        "\n"
        "def watched(name):\n"
        "    real = getattr(torch.nn.functional, name)\n"
        "\n"
        "    def call(scores, *args, **kwargs):\n"
        "        seen.append(are_probabilities(scores, 1 if scores.dim() > 1 else 0))\n"
        "        return real(scores, *args, **kwargs)\n"
        "\n"
        "    return mock.patch.object(torch.nn.functional, name, call)\n"
        "\n"
        f"{given(value, classes=values.get('of_classes') is True)}"
        'with watched("cross_entropy"), watched("nll_loss"):\n'
        f"    {value}\n"
        'assert not any(seen), "the loss is given probabilities"\n'
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
        probs = logits.softmax(dim=-1)
        loss = F.cross_entropy(probs[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="softmax-before-cross-entropy",
    severity=Severity.HIGH,
    summary="A cross-entropy is given probabilities in place of logits.",
    explanation=(
        "torch's cross_entropy takes the softmax itself. Given probabilities it takes it of "
        "numbers between 0 and 1, so that even a perfect answer keeps a loss near ln V. nll_loss "
        "wants the logarithms of probabilities, and given them plain it has no logarithm at all. "
        "Not meant: log_softmax before cross_entropy, which changes nothing."
    ),
    harm=(
        "Gradients are smaller by orders of magnitude, the loss stays near ln V, and the model "
        "learns slowly or not at all."
    ),
    confirmed_by=(
        "The probe labels looks at what each cross-entropy over the vocabulary is given. Rows "
        "that are nowhere negative and sum to one confirm; anything else refutes."
    ),
    sick=SICK,
    healed=SICK.replace("        probs = logits.softmax(dim=-1)\n", "").replace("probs", "logits"),
    suspects={calls(*names_of(*_LOSSES)): _suspect, attributes(*_LOSSES): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(
        measures=("probes.instruments.loss_watch:are_probabilities", "specimen.outputs:loss_in"),
        test=_test,
    ),
)
