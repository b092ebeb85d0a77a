"""GD311: `.T` or `.t()` of a tensor with more than two dimensions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, attributes, calls
from gptdoctor.source.attention_ranks import least_rank, least_rank_of_keys
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.memory_order import rank_of
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project

CODE = "GD311"
BATCHED = frozenset({"bmm", "baddbmm"})  # what they are given has three dimensions


def see_turn(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A turn that is meant for two dimensions, where the tensor is known to have more."""
    called = isinstance(node, ast.Call)
    method = node.func if isinstance(node, ast.Call) else node
    if not isinstance(method, ast.Attribute) or visit.flow is None:
        return
    turned = method.value
    if isinstance(node, ast.Call) and node.args:
        if visit.module.names.called(node) != "torch.t":
            return
        turned = node.args[0]
    if _feeds_a_loop(visit.parents):
        return  # gates that are read expert by expert are GD301's
    rank, least = _ranks(visit.project, turned, visit.flow)
    if rank < 3 and called_name(visit.parent) in BATCHED:
        rank, least = 3, ""
    if rank > 2:
        what = "takes two dimensions at the most" if called else "turns all of them round"
        told = f"`{text_of(turned)}` has {least}{rank} dimensions, and `.{method.attr}` {what}"
        yield suspicion(CODE, node, visit.flow, told)


def _ranks(project: Project, value: ast.expr, function: Function) -> tuple[int, str]:
    """How many dimensions a tensor has, or how many at the least, and the word that says so."""
    rank = rank_of(project, value, function)
    if rank:
        return rank, ""
    least = least_rank(project, value, function)
    return max(least, least_rank_of_keys(project, value, function)), "at least "


def _feeds_a_loop(parents: tuple[ast.AST, ...]) -> bool:
    """Whether a value is gone through element by element."""
    parent = parents[-1] if parents else None
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Name) and parent.func.id in ("zip", "enumerate", "map")
    return isinstance(parent, ast.For | ast.comprehension)


SICK = """\
from torch import nn


class Reading(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        B, T, C = x.shape
        parts = self.inward(x).view(B, T, 3, self.heads, -1)
        q, k, v = parts.unbind(2)
        keys = k.reshape(B, T, self.heads, -1).transpose(1, 2)
        queries = q.reshape(B, T, self.heads, -1).transpose(1, 2)
        return (queries @ keys.T).softmax(dim=-1)
"""

DEFECT = Defect(
    code=CODE,
    name="reversed-axes",
    severity=Severity.HIGH,
    summary="`.T` or `.t()` is taken of a tensor with more than two dimensions.",
    explanation=(
        "`.T` turns all dimensions round, so that the batch comes last, and is deprecated for more "
        "than two; `.t()` raises an error. `.mT` and `.transpose(-2, -1)` exchange the last two. "
        "Matrices, and tensors whose number of dimensions the text does not tell, are not meant."
    ),
    harm=(
        "The batch takes the place of the channels: the product fails, or, where sizes happen to "
        "agree, mixes the rows of the batch."
    ),
    confirmed_by=(
        "No probe measures it under this code: a run shows a crash at most sizes, and GD802, "
        "batch-leak, where the sizes agree."
    ),
    sick=SICK,
    healed=SICK.replace("keys.T)", "keys.mT)"),
    suspects={attributes("T"): see_turn, calls("t"): see_turn},
)
