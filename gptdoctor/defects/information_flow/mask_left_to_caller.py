"""GD809: the call without a mask lets positions see later ones, and the mask may be left out."""

from __future__ import annotations

from collections.abc import Iterator

from gptdoctor.core.findings import Conviction, Severity, Status
from gptdoctor.core.measurements.causality import Causality
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect

CODE = "GD809"
PROBE = "causality"


def read_causality(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a leak that a causal mask of the caller's ends; refute where there is no leak."""
    if not isinstance(measurement, Causality) or not measurement.finite:
        return
    if measurement.left_to_the_caller and not measurement.misplaced:
        yield _conviction(measurement, record)
    elif measurement.runs and not measurement.seeds_leaking:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="No output moves when later tokens change.",
            values={},
        )


def _conviction(measurement: Causality, record: ModelRecord) -> Conviction:
    leak = next(run for run in measurement.runs if run.influence > measurement.least_influence)
    name = measurement.caller_mask
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=record.target.entry_place,
        message=(
            f"Without `{name}`, which may be left out, later tokens move the outputs of earlier "
            "positions; with a causal mask none does."
        ),
        values={"mask": name, "length": leak.length, "influence": leak.influence},
    )


SICK = """\
import math

import torch
from torch import nn
from torch.nn import functional as F


class Reader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.lm_head = nn.Linear(width, vocab_size)

    def forward(self, ids, mask=None):
        x = self.embedding(ids)
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -torch.inf)
        return self.lm_head(x + scores.softmax(dim=-1) @ v)

    def compute_loss(self, logits, targets):
        return F.cross_entropy(logits.mT, targets)
"""

GOOD = """\
        if mask is None:
            mask = torch.ones_like(scores).tril()
        scores = scores.masked_fill(mask == 0, -torch.inf)
"""
BAD = """\
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -torch.inf)
"""

DEFECT = Defect(
    code=CODE,
    name="mask-left-to-caller",
    severity=Severity.MEDIUM,
    summary="Nothing hides later tokens unless the caller thinks of a causal mask.",
    explanation=(
        "A parameter takes the causal mask, and None is its default: then each position sees the "
        "whole text. Nothing fails if a call leaves it out, in training or in a method that "
        "generates. Not meant: masks over the tokens, which tell of padding, and encoders, which "
        "are told by their names, flags and configuration. Where the name of the class or a loss "
        "of its own promises a causal model, a call without a mask that looks ahead is GD801."
    ),
    harm=(
        "One call without the mask, and the model learns to copy the answer: its training loss "
        "looks splendid, and what it generates is worthless."
    ),
    confirmed_by=(
        "The probe causality finds that later tokens move earlier outputs in the call without the "
        "mask, and tries a causal mask, [T, T] or wider, of ones, of truth values or of what is "
        "added to the scores, as each mask that may be left out and is not one over the tokens. "
        "If with one of them no earlier output moves, and later ones still do, this confirms it. "
        "A model that looks ahead in no call refutes it."
    ),
    sick=SICK,
    healed=SICK.replace(BAD, GOOD),
    convicts={PROBE: read_causality},
)
