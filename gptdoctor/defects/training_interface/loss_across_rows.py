"""GD607: the last token of a row is trained to tell the first token of the next row."""

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
from gptdoctor.source.gathered_rows import gathered_across
from gptdoctor.source.label_offsets import pairing
from gptdoctor.source.loss_calls import LossCall, losses_at, names_of
from gptdoctor.source.loss_tests import MEASURES, paired, pulls
from gptdoctor.source.rolled_rows import rolled_across

CODE = "GD607"
PROBE = "labels"
_LOSSES = ("cross_entropy", "nll_loss")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for loss in losses_at(node, visit.project, visit.scope, visit.parents):
        if loss.kind not in _LOSSES:
            continue
        rolled = rolled_across(loss)
        if rolled is not None:
            yield _suspicion(loss, rolled, loss.call)
            continue
        paired = pairing(loss)
        if paired is None or paired.labels.flat is None or paired.scores.flat is None:
            continue
        # As many as were cut off the front of the labels were cut off the end of the scores.
        if paired.labels.flat_start > paired.scores.flat_start:
            yield _suspicion(loss, paired.labels.flat, paired.scores.flat)


def see_gather(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The logarithms at the targets, `logp[:-1].gather(1, y[1:, None])`, of a loss by hand."""
    shifted = gathered_across(node, visit.project, visit.scope)
    if shifted is not None and isinstance(node, ast.Call):
        yield _told(visit.scope, shifted[0], shifted[1], node)


def _suspicion(loss: LossCall, labels: ast.expr, scores: ast.expr) -> Suspicion:
    return _told(loss.function, labels, scores, loss.call)


def _told(function: Function, labels: ast.expr, scores: ast.expr, call: ast.Call) -> Suspicion:
    lines = [labels.lineno, scores.lineno, call.lineno, call.end_lineno or 0]
    return Suspicion(
        rule=CODE,
        location=function.module.location(labels),
        symbol=function.symbol,
        message=(
            f"`{ast.unparse(labels)}` shifts rows that were put behind one another: the end of "
            "each is trained on the beginning of the next"
        ),
        extent=(min(lines), max(lines)),
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Labels):
        return
    for reading in measurement.readings:
        if reading.offset is not None and reading.targets:
            yield _conviction(reading, record)


def _conviction(reading: LossReading, record: ModelRecord) -> Conviction:
    across = reading.across_rows
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED if across else Status.REFUTED,
        probe=PROBE,
        place=_place(reading, record),
        message=(
            f"The loss of {record.target.name} trains the end of a row on the beginning of the "
            "next one: rows are shifted after they were put behind one another"
            if across
            else f"the loss of {record.target.name} keeps rows apart"
        ),
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "labels": reading.labels,
            "positions_across": across,
            "positions": reading.positions,
            "loss_nats": reading.loss,
        },
    )


def _place(reading: LossReading, record: ModelRecord) -> Place:
    """The slice of labels, or of logits, that lie in one row."""
    for sliced in (reading.labels_sliced, reading.logits_sliced):
        if sliced is not None and sliced.flat:
            return sliced.place
    return reading.cross_entropy or Place(path=record.target.path, symbol=record.target.name)


def _test(values: Mapping[str, Value]) -> str:
    """Labels unlike the ids, and the label that each position is pulled to."""
    statements = pulls(values)
    return statements and (
        f"{statements}"
        f"{paired(values)}"
        "assert found is None or not found.across_rows, (\n"
        '    f"{found.across_rows} positions are trained on a token of the next row"\n'
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
        flat = logits.flatten(0, 1)
        loss = F.cross_entropy(flat[:-1], labels.flatten()[1:])
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="loss-across-rows",
    severity=Severity.MEDIUM,
    summary="Rows are shifted after they were flattened: the end of one is trained on the next.",
    explanation=(
        "Labels or logits are put behind one another first and shifted then, by a slice or by "
        "`roll`, so that the last position of each row is paired with the first token of the next "
        "row. `roll` without a dimension does so by itself. Not meant: labels in which the ends of "
        "rows are marked afterwards."
    ),
    harm=(
        "One position in each row learns to tell what has nothing to do with it: noise in the "
        "gradient, the more the shorter the rows."
    ),
    confirmed_by=(
        "The probe labels reads from the gradient of the logits which label each position is "
        "pulled to. One of the next row, for two sets of labels, confirms; none refutes."
    ),
    sick=SICK,
    healed=SICK.replace("logits.flatten(0, 1)", "logits[:, :-1].flatten(0, 1)").replace(
        "flat[:-1], labels.flatten()[1:]", "flat, labels[:, 1:].flatten()"
    ),
    suspects={
        calls("gather"): see_gather,
        calls(*names_of(*_LOSSES)): _suspect,
        attributes(*_LOSSES): _suspect,
    },
    convicts={PROBE: _convict},
    proof=Proof(measures=(*MEASURES, "probes.instruments.label_pulls:pairing"), test=_test),
)
