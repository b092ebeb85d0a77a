"""GD905: each block multiplies the gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.depth_readings import read_factors
from gptdoctor.source.depth_tests import DEPTH_MEASURES, gradient_factor

CODE = "GD905"
# Of 60 models of a public package each block multiplies the gradient by 1.0 to 2.5.  Twice that
# makes 15,000 of it in six blocks.
MOST_FACTOR = 5.0


def read_depth(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each stack that makes more than five times the gradient at each block."""
    yield from read_factors(
        measurement,
        record,
        CODE,
        limits=lambda stack: {},
        is_wrong=lambda stack, factor: factor > MOST_FACTOR,
        worst=max,
        told=(
            "The gradient explodes in {stack}: each block makes many times as much of what it is "
            "told."
        ),
        refuted="The gradient grows little from block to block.",
    )


def _test(values: Mapping[str, Value]) -> str:
    """The gradients at the inputs of the blocks of a deep model."""
    return (
        f"{gradient_factor(values)}"
        f"assert factor <= {MOST_FACTOR}, "
        'f"each block multiplies the gradient by {factor:.2g}"\n'
    )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Linear(width, width)
        nn.init.normal_(self.mix.weight, std=2.0)

    def forward(self, x):
        past = x.cumsum(dim=1) / torch.arange(1, x.shape[1] + 1)[:, None]
        return x + self.mix(past)


class LoudTower(nn.Module):
    def __init__(self, vocab_size, width, n_layers):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x)
        logits = self.head(self.norm(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="exploding-gradient",
    severity=Severity.HIGH,
    summary="Each block multiplies the gradient, so that it explodes with depth.",
    explanation=(
        "In a stack of blocks the gradient grows at each by a large factor: weights that start "
        "far too large with no normalisation, or a residual that is scaled up. That gradients are "
        "somewhat larger in the first blocks is normal. Only a run shows this."
    ),
    harm=(
        "The first steps throw the first blocks about, or make them NaN; clipping hides that and "
        "leaves the other blocks without a gradient of any size."
    ),
    confirmed_by=(
        "The probe depth builds the model with six layers (or fills up its lists with copies), "
        "and compares the norms of the gradient at the inputs of the blocks, from the second to "
        "the last: more than five times as much for each block confirms it."
    ),
    sick=SICK,
    healed=SICK.replace("std=2.0", "std=0.02"),
    convicts={"depth": read_depth},
    explains=("GD903",),
    proof=Proof(measures=DEPTH_MEASURES, test=_test),
)
