"""What the fresh model's loss is, against that of a model that knows nothing."""

from __future__ import annotations

from dataclasses import dataclass

from gptdoctor.core.measurements.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class LoudPart:
    """What makes the logits of a fresh model large."""

    # "scale": an operation after the head; "weight": the head's own weights; "input": what the
    # head is given.
    kind: str
    name: str  # of the operation, or of the parameter
    factor: float  # the scale; the spread of weights times the root of their number; of the input
    tied: bool  # the weight is the table of the embedding as well
    path: str  # "": not the user's
    symbol: str
    line: int | None
    as_torch_makes_it: bool  # no line of the user's fills the weight


@dataclass(frozen=True, kw_only=True)
class InitialLoss(Measurement):
    """Probe initial-loss: logits of the fresh model for random ids, the mean of some batches."""

    batches: int
    vocabulary: int  # logits that are finite: a padded vocabulary counts as it is
    uniform_nats: float  # ln of `vocabulary`: the loss of a model that knows nothing
    # The loss against labels that are drawn at random: ln V at the least, whatever the labels.
    expected_nats: float
    next_nats: float | None  # against the next id; random ids tell nothing of it beforehand
    logits_spread: float  # standard deviation over the vocabulary
    loud: LoudPart | None  # looked for where the loss is far off
