"""GD901: the fresh model's loss is far from that of a model that knows nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.initial_loss import InitialLoss, LoudPart
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD901"
# Of 60 models of a public package all but one have 1.0 to 1.25 times ln V.  Tables that torch fills
# with N(0, 1) and that are the head as well have more: those many publish, and they learn.
MOST_OF_UNIFORM = 1.5
# Random ids tell nothing of the next one: a model that names it better than chance by a fifth has
# seen it.
LEAST_OF_UNIFORM = 0.8


def read_loss(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict logits that are sure of themselves before they have learned anything."""
    if not isinstance(measurement, InitialLoss):
        return
    too_high = measurement.expected_nats > MOST_OF_UNIFORM * measurement.uniform_nats
    following = measurement.next_nats
    too_low = following is not None and following < LEAST_OF_UNIFORM * measurement.uniform_nats
    loud = measurement.loud
    by_default = loud is not None and loud.tied and loud.as_torch_makes_it
    if too_high and not by_default:
        yield _conviction(measurement, record, _why(measurement), loud)
    elif too_low and not too_high:
        yield _conviction(
            measurement,
            record,
            "The fresh model names the next of random ids better than chance: it sees what it is "
            "to name.",
            None,
        )
    elif not too_high:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe="initial-loss",
            place=None,
            message="The fresh model's loss is that of one that knows nothing.",
            values=_values(measurement),
        )


def _why(measurement: InitialLoss) -> str:
    loud = measurement.loud
    kind = loud.kind if loud is not None else ""
    told = {
        "scale": "this scales them up",
        "weight": f"{loud.name if loud is not None else ''} starts too large",
        "input": "what the head is given is too large",
    }.get(kind, "something makes them large")
    return f"The logits of the fresh model are far apart before it has learned anything: {told}."


def _values(measurement: InitialLoss) -> dict[str, float | int | str | None]:
    loud = measurement.loud
    return {
        "expected_loss_nats": measurement.expected_nats,
        "next_loss_nats": measurement.next_nats,
        "uniform_loss_nats": measurement.uniform_nats,
        "vocabulary": measurement.vocabulary,
        "logits_spread": measurement.logits_spread,
        "cause": loud.kind if loud is not None else "",
        "name": loud.name if loud is not None else "",
        "factor": loud.factor if loud is not None else None,
    }


def _conviction(
    measurement: InitialLoss, record: ModelRecord, message: str, loud: LoudPart | None
) -> Conviction:
    place = Place(path=record.target.path, symbol=record.target.name)
    if loud is not None and loud.path:
        place = Place(path=loud.path, symbol=loud.symbol, line=loud.line)
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe="initial-loss",
        place=place,
        message=message,
        values=_values(measurement),
    )


def _test(values: Mapping[str, Value]) -> str:
    """The loss against random labels, or against the next id, of the fresh model."""
    uniform, following = values.get("uniform_loss_nats"), values.get("next_loss_nats")
    known = isinstance(uniform, float) and isinstance(following, float)
    if known and following < LEAST_OF_UNIFORM * uniform:  # type: ignore[operator]
        return (
            "ids = random_ids()\n"
            "with torch.no_grad():\n"
            "    found = next_loss(logits(build(), ids), ids)\n"
            f"assert found is None or found >= {LEAST_OF_UNIFORM} * torch.tensor(V).log(), found\n"
        )
    return (
        "with torch.no_grad():\n"
        "    found = expected_loss(logits(build(), random_ids()))\n"
        f"assert found <= {MOST_OF_UNIFORM} * torch.tensor(V).log(), (\n"
        '    f"the fresh model loses {found:.2f} nats"\n'
        ")\n"
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class SureReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab_size)
        nn.init.normal_(self.head.weight, std=1.0)

    def forward(self, ids, targets):
        states, _ = self.mix(self.embedding(ids))
        logits = self.head(self.norm(states))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="initial-loss-off",
    severity=Severity.MEDIUM,
    summary="The fresh model's loss is far from that of a model that knows nothing.",
    explanation=(
        "Before it has learned anything, a model over V tokens should lose about ln V. A head "
        "whose weights start too large, a scale behind it or a last norm that is missing make the "
        "logits far apart instead; a loss far below ln V on random ids says that the model sees "
        "what it is to name. A table that torch filled with N(0, 1), and that is the head as well, "
        "is not meant, nor is a model that was handed over and may have learned. Only a run shows "
        "this."
    ),
    harm=(
        "The first hundreds of steps are spent on making the logits small, at the largest "
        "gradients of the whole training."
    ),
    confirmed_by=(
        "The probe initial-loss takes the logits of three batches of random ids and their loss "
        "against labels drawn at random, which is ln V at the least: more than one and a half "
        "times that confirms it. So does a loss against the next id of less than four fifths."
    ),
    sick=SICK,
    healed=SICK.replace("std=1.0", "std=0.02"),
    convicts={"initial-loss": read_loss},
    proof=Proof(
        measures=("probes.initial_loss:expected_loss", "probes.initial_loss:next_loss"), test=_test
    ),
)
