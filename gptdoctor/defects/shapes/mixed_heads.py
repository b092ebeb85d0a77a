"""GD306: a reshape makes heads, channels or rows of positions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.shapes import Shapes
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.named_axes import is_mixed, is_undone
from gptdoctor.source.named_sizes import may_name_axes

CODE = "GD306"
PROBE = "shapes"


# Rounding in fp32 is less than 1e-6 of the largest logit; what mixes moves more than 1e-3 of it.
LEAST = 1e-5


def see_view(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A view whose sizes are named as another order of dimensions than the tensor has."""
    if not isinstance(node, ast.Call) or not may_name_axes(node):
        return
    if visit.flow is None or is_undone(visit.parents):
        return
    if is_mixed(visit.project, node, visit.flow):
        told = (
            f"`{text_of(node)}` keeps the numbers in order and calls them something else: "
            "positions become heads, or heads positions; a transpose is missing"
        )
        yield suspicion(CODE, node, visit.flow, told)


def read_shapes(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict reshapes that move positions, where the logits depend on it."""
    if not isinstance(measurement, Shapes) or (measurement.mixing_effect or 0.0) < LEAST:
        return
    for one in measurement.mixed:
        yield Conviction(
            rule=CODE,
            status=Status.CONFIRMED,
            probe=PROBE,
            place=one.place,
            message=(
                f"{one.operation} makes {list(one.after)} of {list(one.before)}: its numbers stay "
                "in order, so that positions become something else; a transpose is missing."
            ),
            values={
                "operation": one.operation,
                "before_shape": one.before,
                "after_shape": one.after,
                "relative_change": measurement.mixing_effect,
            },
        )


def _test(values: Mapping[str, Value]) -> str:
    """The logits with every reshape made so that the positions stay where they are."""
    return f"""\
model, length = jitter(build().eval(), 0.05, seed=0), 11  # another size than any of the model's
inputs = {{"ids": random_ids(batch=2, length=length)}}
effect = mixing_effect(lambda given: logits(model, given["ids"]), inputs, length)
assert effect is not None
assert effect < {LEAST}, f"positions that become heads move the logits by {{effect:.2g}}"
"""


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reader(nn.Module):
    def __init__(self, vocab_size, width, heads=4):
        super().__init__()
        self.heads = heads
        self.embedding = nn.Embedding(vocab_size, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        batch, length = ids.shape
        parts = self.qkv(self.embedding(ids)).chunk(3, dim=-1)
        shape = batch, length, self.heads, -1
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        logits = self.head(y.reshape(batch, length, -1))
        flat, aims = logits.view(-1, logits.size(-1)), targets.flatten()
        each = F.cross_entropy(flat, aims, reduction="none")
        return logits, (each * (aims > 0)).mean()
"""

DEFECT = Defect(
    code=CODE,
    name="mixed-heads",
    severity=Severity.HIGH,
    summary="A reshape stands where a transpose is meant: positions are mixed with heads.",
    explanation=(
        "`view(B, H, T, D)` of [B, T, H * D], `reshape(B, T, H * D)` of [B, H, T, D] and their "
        "like keep the order of the numbers and call it something else: a head gets pieces of "
        "several positions. A reshape that leaves as many numbers before the positions as there "
        "were, chunks and windows, and the shift of relative positions by T + 1 are right, and so "
        "are two such reshapes that undo each other."
    ),
    harm=(
        "A position reads parts of others, later ones too: the mask of attention no longer "
        "protects the future, and the model cannot generate as it was trained."
    ),
    confirmed_by=(
        "The probe shapes follows reshapes at a length that no other size equals. One that moves "
        "the positions confirms it, if the logits change by more than 1e-5 when all of them keep "
        "their positions (rounding is less than 1e-6)."
    ),
    sick=SICK,
    healed=SICK.replace(
        "y.reshape(batch, length, -1)",
        "y.transpose(1, 2).flatten(2)",
    ),
    suspects={calls("view", "reshape"): see_view},
    convicts={PROBE: read_shapes},
    explains=("GD801", "GD802"),
    proof=Proof(
        measures=("probes.shapes:mixing_effect", "probes.instruments.weights:jitter"), test=_test
    ),
)
