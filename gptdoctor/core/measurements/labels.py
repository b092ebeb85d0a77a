"""What the model's own losses make of the labels that they are given."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class SlicedAt:
    """A place that cuts a piece out of the labels or of the logits, along the text."""

    place: Place
    start: int  # the first position that is kept
    flat: bool  # all rows lie behind one another there


@dataclass(frozen=True, kw_only=True)
class LossReading:
    """One loss of the model's own, run with labels that differ from its inputs.

    A position is pulled to a token where the gradient of its logits is lowest.  What token
    `offset` places ahead is the target was asked of the losses with two sets of labels.
    """

    name: str  # of the entry's label parameter, or of the method
    by_entry: bool  # the entry itself gives it for its labels
    labels: str  # the parameter, or the key of a batch, that the targets came from; "": the ids
    loss: float | None  # nats
    hears: bool  # a parameter of the model hears of the loss
    logits_live: bool  # the logits can be trained, whatever becomes of the loss
    # How far the loss moves when all labels are replaced, over the loss; None: it takes none.
    moved_by_labels: float | None
    # What the positions are pulled to: "labels", "inputs", the model's own "guesses"; "": none of
    # these, or not known.
    targets: str
    offset: int | None  # position t is trained on token t + offset; None: on no single one
    positions: int  # positions that are trained, in all rows
    across_rows: int  # of those: trained on a token of the next row
    # The first token that position t has not seen is t + unseen; None: it looks ahead, or nobody
    # knows.
    unseen: int | None
    # Which tokens labels stand for: "same" as the inputs, the "next" ones already, "fed" to the
    # decoder by the model itself, or "open".
    convention: str
    convention_shown: str  # by what: "model(ids, labels=ids)", "its base PreTrainedModel"; ""
    padding: str  # what declares the token that fills rows up: "pad_token_id = 0"; "": nothing
    padding_counted: int | None  # positions that are trained on it; None: not measured
    # The label that says "no target": the one that the code leaves out by its own word, else -100,
    # which torch leaves out; None: not measured.
    mark: int | None
    mark_counted: int | None  # positions so marked that are trained all the same, on one token
    mark_lost: Place | None  # the line that puts a token in the place of the mark
    # How far ahead of a position the marked label lies, at most, for which the position is left
    # out: where it is trained, its target's.  None: none is left out.
    mark_ahead: int | None
    # Whether the mean is taken over all labels, the marked ones with them; None: not measured.
    divided_by_all: bool | None
    averaged: Place | None  # the line that takes the mean
    # Whether a cross-entropy was given probabilities in place of logits; None: none was seen.
    probabilities: bool | None
    cross_entropy: Place | None  # the line that makes the loss
    softmax: Place | None  # the line that made the probabilities
    labels_sliced: SlicedAt | None
    logits_sliced: SlicedAt | None
    cut: Place | None  # the line after which nothing hears of the loss
    cut_by: str  # "detach", "item", "no_grad"; "": nothing was seen to
    # What gives it for `ids` and `labels`, as a test writes it: "model.loss(ids=ids)"; "": the
    # entry for its labels, or nothing so short.
    call: str = ""
    padding_error: str = ""  # of torch's loss, which refuses the labels of a row that is padded
    training_step: bool = False  # a method whose name says that it is there to train with
    of_classes: bool = False  # its labels are classes, and no tokens


@dataclass(frozen=True, kw_only=True)
class Labels(Measurement):
    """Probe labels."""

    readings: tuple[LossReading, ...]
