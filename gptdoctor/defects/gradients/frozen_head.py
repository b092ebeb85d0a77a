"""GD110: the constructor keeps the head from learning, and nothing says that it is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.parameter_registration import ParameterRegistration
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD110"
PROBE = "parameter-registration"
# Any word about it at the line says that the author thought of it.
INTENT = re.compile(r"#.*\b(frozen|freez\w+|fixed|random|grad\w*|train\w*|learn\w*)", re.I)
# Names that say what the line does: `frozen_head`, `fixed_projection`.
NAMED = re.compile(r"froz|freez|fixed|random", re.I)


def read_registration(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict the statement that freezes the head of a model that is to learn."""
    if not isinstance(measurement, ParameterRegistration):
        return
    head = measurement.frozen_head
    if head is None or INTENT.search(head.code) or NAMED.search(head.name):
        return
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=Place(path=head.path, symbol=head.symbol, line=head.line),
        message=(
            f"{head.name} makes the logits and is frozen where the model is made: its random "
            f"numbers stay, while all that lies before it learns."
        ),
        values={
            "parameter": head.name,
            "numbers_frozen": head.numbers,
            "numbers_trained": head.trained,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """The head by its name."""
    return f"""\
head = build().get_parameter("{values.get("parameter")}")
assert head.requires_grad, "the head is frozen"
"""


SICK = """\
import torch.nn.functional as F
from torch import nn


class Headed(nn.Module):
    def __init__(self, vocab=100, width=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.mix = nn.Linear(width, width)
        self.head = nn.Linear(width, vocab, bias=False).requires_grad_(False)

    def forward(self, ids, targets):
        logits = self.head(self.mix(self.tokens(ids)).relu())
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="frozen-head",
    severity=Severity.MEDIUM,
    summary="The layer that makes the logits is frozen where it is made.",
    explanation=(
        "The constructor makes the output layer with random weights and lets it ask for no "
        "gradient, while nearly all else is to learn. A head under a setting, one that shares or "
        "copies the embedding, models of which a large part is frozen (adapters, fine-tuning, "
        "towers), and a line that says in a comment or a name that it is meant are not told."
    ),
    harm=(
        "The model learns to fit a random matrix instead of its own vocabulary: training goes on, "
        "and ends at a worse loss."
    ),
    confirmed_by=(
        "The probe parameter-registration looks at the linear layer that is as wide as the logits. "
        "One without a gradient, frozen by a statement of a constructor that always runs, confirms "
        "it. If it is meant, a comment that says so settles it."
    ),
    sick=SICK,
    healed=SICK.replace(".requires_grad_(False)", ""),
    convicts={PROBE: read_registration},
    proof=Proof(test=_test),
)
