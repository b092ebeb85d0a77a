"""GD904: each block passes on a small part of the gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Value
from gptdoctor.core.measurements.depth import Stack
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.depth_readings import read_factors
from gptdoctor.source.depth_tests import DEPTH_MEASURES, gradient_factor

CODE = "GD904"
# Of 60 models of a public package each block passes on 1.0 to 2.5 of the gradient, and of stacks of
# LSTMs, which are healthy in the few layers that they are built with, 0.2.  A tenth leaves a
# millionth after six blocks.
LEAST_FACTOR = 0.1
# Where the stream itself passes the block, it is passed on whole: less than 0.6 at each leaves a
# five-hundredth after twelve blocks.  One operation on it that lets a third pass at most, as the
# slope of a sigmoid does, is why; a mean of stream and branch, or a gate half open, lets a half.
LEAST_STREAM, LEAST_STEP, LEAST_IDENTITY = 0.6, 1 / 3, 0.3


def least_factor(stack: Stack) -> float:
    """What each block of a stack has to pass on of the gradient."""
    jump, identity = stack.jump, stack.identity
    passes = identity is not None and identity >= LEAST_IDENTITY
    ends = jump is not None and jump.factor < LEAST_STEP
    return LEAST_STREAM if passes and ends else LEAST_FACTOR


def read_depth(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict each stack that passes on too little for each block."""
    yield from read_factors(
        measurement,
        record,
        CODE,
        limits=lambda stack: {"least_factor": least_factor(stack)},
        is_wrong=lambda stack, factor: factor < least_factor(stack),
        worst=min,
        told=(
            "The gradient all but ends in {stack}: each block passes on a small part of what it is "
            "told, and the first ones learn nothing."
        ),
        refuted="The gradient passes all blocks.",
    )


def _test(values: Mapping[str, Value]) -> str:
    """The gradients at the inputs of the blocks of a deep model."""
    return (
        f"{gradient_factor(values)}"
        f"assert factor >= {values.get('least_factor', LEAST_FACTOR)}, "
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
        nn.init.normal_(self.mix.weight, std=0.02)

    def forward(self, x):
        past = x.cumsum(dim=1) / torch.arange(1, x.shape[1] + 1)[:, None]
        return torch.sigmoid(self.mix(past))


class SigmoidTower(nn.Module):
    def __init__(self, vocab_size, width, n_layers):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(n_layers))
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x)
        logits = self.head(x)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="vanishing-gradient",
    severity=Severity.HIGH,
    summary="Each block passes on a small part of the gradient, so that the first ones get none.",
    explanation=(
        "In a stack of blocks the gradient shrinks at each by a large factor: sigmoids or tanh "
        "without a residual around them, a residual that is scaled down, weights that are far too "
        "small. Gates that start at zero are not meant, for the residual passes them. Neither is "
        "a stack that is as deep as it can be with two or three blocks. Only a run shows this."
    ),
    harm=(
        "The first blocks and the embeddings stay as they were made, and more depth makes the "
        "model worse."
    ),
    confirmed_by=(
        "The probe depth builds the model with six layers (or fills up its lists with copies), "
        "and compares the norms of the gradient at the inputs of the blocks, from the second to "
        "the last: less than a tenth passed on for each block confirms it, or less than 0.6 where "
        "the stream passes the blocks and one operation on it lets less than a third through."
    ),
    sick=SICK,
    healed=SICK.replace("return torch.sigmoid(", "return x + torch.sigmoid("),
    convicts={"depth": read_depth},
    explains=("GD903",),
    proof=Proof(measures=DEPTH_MEASURES, test=_test),
)
