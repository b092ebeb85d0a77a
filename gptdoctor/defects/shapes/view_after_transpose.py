"""GD310: a view of a tensor whose dimensions were turned."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_turns import may_be_turned, may_name_turn, may_turn
from gptdoctor.source.memory_order import (
    added_to_shape,
    dense_rank,
    rank_of,
    sizes_of,
    turned,
    unbroken_runs,
)
from gptdoctor.source.misplaced_masks import suspicion

CODE = "GD310"


def see_view(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A view of what was just turned, into fewer dimensions than lie one behind the other."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    if not may_be_turned(node.func.value):
        return
    flow = visit.flow
    if flow is None or not may_turn(flow):
        return
    receiver = node.func.value
    if isinstance(receiver, ast.Name) and not may_name_turn(receiver, flow):
        return
    turn = turned(receiver, flow)
    if turn is None:
        return
    sizes, added = sizes_of(node, flow), added_to_shape(node, flow)
    if sizes is None and added is None:
        return
    dense = dense_rank(visit.project, turn.base, flow)
    if dense is None:
        return
    rank = dense or rank_of(visit.project, turn.base, flow)
    rank = rank or (turn.least_rank if turn.spelling.startswith("permute") else 0)
    order = turn.apply(tuple(range(rank))) if rank >= turn.least_rank else None
    count = rank + (added or 0) if sizes is None else len(sizes)
    if order is not None and count < unbroken_runs(order):
        told = (
            f"`{text_of(node.func.value)}` turns dimensions without moving a number, and "
            f"`{text_of(node)}` joins some that no longer lie one behind the other: view fails"
        )
        yield suspicion(CODE, node, flow, told)


SICK = """\
import torch.nn.functional as F
from torch import nn


class Reading(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        B, T, C = x.shape
        parts = self.inward(x).view(B, T, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        weights = F.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, dim=-1)
        mixed = (weights @ v).view(B, self.heads, T, -1)
        return mixed.transpose(1, 2).view(B, T, C)
"""

DEFECT = Defect(
    code=CODE,
    name="view-after-transpose",
    severity=Severity.HIGH,
    summary="A view joins dimensions that a transpose has moved apart.",
    explanation=(
        "`transpose`, `permute` and `.T` move no number; `view` joins only dimensions that lie one "
        "behind the other in memory. `.reshape(...)`, or `.contiguous()` before, copies where it "
        "has to. A view that splits dimensions, or joins some that still lie together, is not "
        "meant, nor is one of a tensor whose place in memory the text does not tell."
    ),
    harm="The call raises an error, except where a size happens to be 1.",
    confirmed_by=(
        "No probe measures it under this code: a run of the call fails with torch's own message, "
        "and the model is reported as one that cannot be run."
    ),
    sick=SICK,
    healed=SICK.replace("transpose(1, 2).view(", "transpose(1, 2).reshape("),
    suspects={calls("view"): see_view},
)
