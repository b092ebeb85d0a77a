"""GD603: positions are trained on a token that they have seen, or on one too far ahead."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

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
from gptdoctor.source.given_labels import GivenLabels, labels_given
from gptdoctor.source.label_offsets import Pairing, is_aimed, is_causal, pairing
from gptdoctor.source.loss_calls import LossCall, losses_at, names_of
from gptdoctor.source.loss_tests import MEASURES, paired, pulls

CODE = "GD603"
PROBE = "labels"


# Scores and labels pair by position in these alone; a binary loss has a target for each class.
_LOSSES = ("cross_entropy", "nll_loss")


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    for loss in losses_at(node, visit.project, visit.scope, visit.parents):
        paired = pairing(loss) if loss.kind in _LOSSES else None
        if paired is None:
            continue
        if _is_wrong(paired, loss, visit):
            yield _suspicion(paired, loss, paired.offset, paired.place)
            continue
        given = _given(paired, loss, visit)
        if given is not None and given.ahead + paired.offset != 1:
            place = paired.place if given.ahead else given.place
            found = _suspicion(paired, loss, paired.offset + given.ahead, place)
            # The model alone is right: with what it is given it is not.
            yield replace(found, refutable=False)


def _is_wrong(paired: Pairing, loss: LossCall, visit: Visit) -> bool:
    """Labels from outside may be the inputs or the next tokens: 1 and 0 are right of those."""
    if paired.scores.flat or paired.labels.flat:
        return False
    if paired.own and paired.offset == 0:
        return not is_aimed(loss) and is_causal(loss, visit.project)
    # Where only one side is cut, a prefix may have been put before the other.
    both = paired.own or bool(paired.scores.slices and paired.labels.slices)
    wrong = paired.offset > 1 or (paired.offset < 0 and both)
    return wrong and not is_aimed(loss)


def _given(paired: Pairing, loss: LossCall, visit: Visit) -> GivenLabels | None:
    """How a file gives a model the labels of its own loss, where that tells what is wrong."""
    if paired.own or not paired.argument or paired.labels.flat or paired.offset not in (0, 1):
        return None
    given = labels_given(loss, paired.argument, visit.project)
    if given is None or is_aimed(loss):
        return None
    # Asked last: whether a class reads from left to right may take a parse of its bases.
    return given if paired.offset or is_causal(loss, visit.project) else None


def _suspicion(paired: Pairing, loss: LossCall, offset: int, place: ast.expr) -> Suspicion:
    module = loss.function.module
    lines = [
        loss.call.lineno,
        place.lineno,
        *(one.lineno for one in paired.labels.slices + paired.scores.slices),
    ]
    return Suspicion(
        rule=CODE,
        location=module.location(place),
        symbol=loss.function.symbol,
        message=(
            f"In `{ast.unparse(loss.call.func)}` each position is trained on {_words(offset)}"
        ),
        details={"offset": offset, "own": paired.own},
        extent=(min(lines), max(loss.call.end_lineno or 0, *lines)),
    )


def right_offsets(reading: LossReading) -> tuple[int, ...]:
    """The offsets at which a position is trained on the first token that it has not seen.

    Labels that are the inputs have the same numbers as those; labels that are the next tokens
    already are one behind.  Where nothing tells which they are, both are right; but a loss that
    leaves a position out for the sake of one label is to train it on that label.
    """
    unseen = reading.unseen
    if unseen is None:
        return ()
    if reading.convention in ("same", "fed") or _by_mark(reading):
        return (unseen,)
    return (unseen - 1,) if reading.convention == "next" else (unseen - 1, unseen)


def _by_mark(reading: LossReading) -> bool:
    """Whether nothing but the labels that a loss leaves out tells what they stand for."""
    return (
        reading.convention == "open"
        and reading.unseen is not None
        and reading.mark_ahead == reading.unseen != reading.offset
    )


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    # What may look ahead is not trained to tell the next token; the user's word counts as well.
    if not isinstance(measurement, Labels) or record.target.causal is False:
        return
    for reading in measurement.readings:
        right = right_offsets(reading)
        if reading.offset is not None and right and reading.targets:
            wrong = reading.offset not in right
            yield _conviction(reading, record, Status.CONFIRMED if wrong else Status.REFUTED)


def _conviction(reading: LossReading, record: ModelRecord, status: Status) -> Conviction:
    ahead = _ahead(reading)
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=_place(reading, record),
        message=f"In the loss of {record.target.name} each position is trained on {_words(ahead)}",
        values={
            "name": reading.name,
            "by_entry": reading.by_entry,
            "call": reading.call,
            "labels": reading.labels,
            "offset": reading.offset,
            "right_offsets": right_offsets(reading),
            "ahead": ahead,
            "positions": reading.positions,
            "convention": reading.convention,
            "convention_shown": _shown(reading),
            "loss_nats": reading.loss,
        },
    )


def _shown(reading: LossReading) -> str:
    """What tells what the labels stand for, in words; "" where nothing does."""
    by_mark = "the label for which a position is left out, the next one,"
    return by_mark if _by_mark(reading) else reading.convention_shown


def _ahead(reading: LossReading) -> int:
    """How far ahead of the last token that it has seen a position's target is; 1 is right."""
    right = max(right_offsets(reading), default=1)
    # Under "open" an offset below both is measured from the lower one: at best one too low.
    unknown = reading.convention == "open" and not _by_mark(reading)
    if unknown and reading.offset is not None and reading.offset < right:
        right -= 1
    return (reading.offset or 0) - right + 1


def _words(ahead: int) -> str:
    """The target of a position in words."""
    if ahead == 0:
        return "the very token that it has just read: it learns to copy"
    if ahead < 0:
        return f"a token {1 - ahead} places before the next one, which it has read"
    return f"a token {ahead} places ahead instead of the next one"


def _place(reading: LossReading, record: ModelRecord) -> Place:
    """The slice that is not as it should be; where none is, the call that makes the loss."""
    labels, logits = reading.labels_sliced, reading.logits_sliced
    if labels is not None and labels.start != 1:
        return labels.place
    if logits is not None and logits.start != 0:
        return logits.place
    if labels is not None and reading.convention == "next":
        return labels.place
    return reading.cross_entropy or Place(path=record.target.path, symbol=record.target.name)


def _test(values: Mapping[str, Value]) -> str:
    """Labels unlike the ids, and the label that each position is pulled to."""
    right, statements = values.get("right_offsets"), pulls(values)
    if not isinstance(right, tuple):
        return ""
    return statements and (
        f"{statements}"
        f"{paired(values)}"
        f"assert found is None or found.offset in {right!r}, (\n"
        '    f"position t is trained on label t + {found.offset}"\n'
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

    def forward(self, input_ids):
        return self.lm_head(self.mix(self.wte(input_ids))[0])

    def training_step(self, batch):
        logits = self(batch[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), batch[:, :-1].flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="wrong-label-shift",
    severity=Severity.CRITICAL,
    summary="The loss pairs each position with a token other than the first that it has not seen.",
    explanation=(
        "Position t of a causal model has read token t and is to tell token t + 1. Without a "
        "shift it learns to copy what it reads; shifted twice it skips a token. A model of the "
        "form that transformers has is given its inputs as labels and shifts them; one of "
        "nanoGPT's form is given targets that are shifted already, and must not. What the calls "
        "in the user's own files, docstrings and names show decides which it is, or the label for "
        "whose sake the loss leaves a position out; where nothing does, both count as right. The "
        "text alone shows it where ids that a causal network reads are its own targets in place, "
        "where slices leave neither, and where all that a file's calls give a model as labels are "
        "the next tokens, which its loss shifts once more, or the very tokens that it reads, which "
        "its loss does not shift. Not "
        "meant: models that see the whole text, and decoders that "
        "are given their labels one place to the right."
    ),
    harm=(
        "The loss falls, often to nothing, and the model cannot generate: it repeats its last "
        "token, or leaves one out."
    ),
    confirmed_by=(
        "The probe labels gives the loss labels unlike the inputs, and reads from the gradient of "
        "the logits which label each position is pulled to, for two sets of labels; then it "
        "exchanges one input and sees which positions have read it. One pairing that holds at "
        "all positions and is not the next unseen token confirms; the right one refutes."
    ),
    sick=SICK,
    healed=SICK.replace("batch[:, :-1].flatten()", "batch[:, 1:].flatten()"),
    suspects={calls(*names_of(*_LOSSES)): _suspect, attributes(*_LOSSES): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(measures=(*MEASURES, "probes.instruments.label_pulls:pairing"), test=_test),
)
