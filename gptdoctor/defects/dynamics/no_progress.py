"""GD903: the loss does not fall on one small batch that could be learned by heart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.learning import Learning
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD903"
# Healthy models lose 90 % of their first loss within 28 steps (nine in ten of 163 measured).  The
# verdict holds models to the same share.
LEAST_DROP = 0.10


def read_learning(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a loss that no rate brings down by a tenth, where steps could be taken."""
    if not isinstance(measurement, Learning) or measurement.progress is None:
        return
    if not any(run.stays_finite for run in measurement.runs):
        return  # GD902: NaN is another matter
    runs = [run for run in measurement.runs if run.steps]
    best, first = min(run.best_loss for run in runs), runs[0].first_loss
    learns = measurement.progress >= LEAST_DROP or first <= 0
    found = measurement.bottleneck
    place = Place(path=record.target.path, symbol=record.target.name)
    if found is not None and found.path:
        place = Place(path=found.path, symbol=found.symbol, line=found.line)
    yield Conviction(
        rule=CODE,
        status=Status.REFUTED if learns else Status.CONFIRMED,
        probe="learning",
        place=None if learns else place,
        message=_message(measurement),
        values={
            "first_loss_nats": first,
            "best_loss_nats": best,
            "steps": max(run.steps for run in runs),
            "rates": len(runs),
            "batch": measurement.batch,
            "length": measurement.length,
            "operation": found.operation if found is not None else "",
            "gradient_share": found.share if found is not None else None,
        },
    )


def _message(measurement: Learning) -> str:
    found = measurement.bottleneck
    if found is None:
        return "The model takes steps, and its loss on one small batch does not fall."
    return (
        f"The loss does not fall on one small batch: this `{found.operation}` stops the gradient "
        "on its way to most of the parameters."
    )


def _test(values: Mapping[str, Value]) -> str:
    """Some steps on one batch."""
    batch, length = values.get("batch"), values.get("length")
    return (
        f"model, ids = build(), random_ids(batch={batch}, length={length})\n"
        "weights = [each for each in model.parameters() if each.requires_grad]\n"
        "losses = []\n"
        "for rate in (3e-3, 1e-2):\n"
        "    optimizer = torch.optim.Adam(weights, lr=rate)\n"
        "    for _ in range(60):\n"
        "        optimizer.zero_grad()\n"
        "        found = loss(model, ids)\n"
        "        found.backward()\n"
        "        optimizer.step()\n"
        "        losses.append(found.item())\n"
        f"assert min(losses) <= {1 - LEAST_DROP} * losses[0], (\n"
        '    f"the loss is {losses[0]:.2f} at first and {min(losses):.2f} at best"\n'
        ")\n"
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class FlooredReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size, bias=False)

    def forward(self, ids, targets):
        states, _ = self.mix(self.embedding(ids))
        states = torch.relu(states - 2.0)
        logits = self.head(states)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="no-progress",
    severity=Severity.CRITICAL,
    summary="The loss does not fall on one small batch, at any learning rate.",
    explanation=(
        "Two short texts can be learned by heart by any model that learns at all. Here steps are "
        "taken and the loss stays within a tenth of where it was: units that are dead or "
        "saturated, a scale so small that no step is felt, logits that do not depend on the "
        "input, labels that are not used. The text does not show this; only a run does."
    ),
    harm="Training runs, costs what it costs, and nothing is learned.",
    confirmed_by=(
        "The probe learning trains the model on one batch with Adam at three rates, up to 300 "
        "steps each; a best loss of more than 90 % of the first one confirms it. The line is that "
        "of the operation through which less than a ten-thousandth of the gradient passes, where "
        "there is one that most parameters hear the loss through."
    ),
    sick=SICK,
    healed=SICK.replace("        states = torch.relu(states - 2.0)\n", ""),
    convicts={"learning": read_learning},
    proof=Proof(test=_test),
)
