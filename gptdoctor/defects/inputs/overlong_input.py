"""GD704: a text that is longer than the model takes gives wrong numbers and no error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import (
    Conviction,
    Severity,
    Status,
    Value,
)
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.odd_inputs import OddInputs, OverlongInput
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof

CODE = "GD704"
PROBE = "odd-inputs"


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    overlong = measurement.overlong if isinstance(measurement, OddInputs) else None
    if overlong is not None:
        silent = overlong.crash is None and overlong.operation
        yield _conviction(overlong, record, Status.CONFIRMED if silent else Status.REFUTED)


def _conviction(overlong: OverlongInput, record: ModelRecord, status: Status) -> Conviction:
    target = record.target
    entry = target.entry_place
    what = (
        "tokens are cut off by a slice"
        if overlong.operation == "a slice"
        else f"positions are made to fit by {overlong.operation}"
    )
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=overlong.place or entry,
        message=(
            f"With {overlong.length} tokens, where {overlong.declared} is {overlong.longest}, "
            f"{what}, and {target.name} returns numbers"
            if status is Status.CONFIRMED
            else f"{overlong.length} tokens are refused, or read as they are"
        ),
        values={
            "declared": overlong.declared,
            "longest": overlong.longest,
            "length": overlong.length,
            "positions": overlong.positions,
            "operation": overlong.operation or None,
            "error": None if overlong.crash is None else overlong.crash.kind,
        },
    )


def _test(values: Mapping[str, Value]) -> str:
    """A call with more tokens than the model says it takes: it is to be refused."""
    length = values["length"]
    return (
        "try:\n"
        f"    run(build().eval(), random_ids(length={length}))\n"
        "except (AssertionError, IndexError, RuntimeError, ValueError):\n"
        "    return  # refused, as it should be\n"
        f'raise AssertionError("{length} tokens are silently made to fit")\n'
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim, block_size):
        super().__init__()
        self.block_size = block_size
        self.wte = nn.Embedding(vocab_size, dim)
        self.wpe = nn.Embedding(block_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        positions = torch.arange(input_ids.size(1))
        places = self.wpe(positions % self.block_size)
        return self.lm_head(self.mix(self.wte(input_ids) + places)[0])

    def compute_loss(self, logits, targets):
        return F.cross_entropy(logits.mT, targets)
"""

BAD = """\
        places = self.wpe(positions % self.block_size)
"""
GOOD = """\
        if len(positions) > self.block_size:
            raise ValueError(f"{len(positions)} tokens, and {self.block_size} fit")
        places = self.wpe(positions)
"""

DEFECT = Defect(
    code=CODE,
    name="overlong-input",
    severity=Severity.MEDIUM,
    summary="A text longer than the model says it takes gives wrong numbers in place of an error.",
    explanation=(
        "Positions are clamped or wrapped into the table of positions, or the text is cut inside "
        "the forward pass. Not meant: an error, be it that of the table, positions that are "
        "computed for any length, distances that are clamped, and texts that generate cuts."
    ),
    harm=(
        "Several tokens have the same position, or the logits belong to other tokens than the "
        "caller gave: long texts are learned wrongly, and nothing shows it."
    ),
    confirmed_by=(
        "The probe odd-inputs makes the call that works with two tokens more than the model "
        "names as its longest, and watches what becomes of positions and ids. Numbers that come "
        "back after an operation made them fit confirm; an error refutes."
    ),
    sick=SICK,
    healed=SICK.replace(BAD, GOOD),
    convicts={PROBE: _convict},
    proof=Proof(test=_test),
)
