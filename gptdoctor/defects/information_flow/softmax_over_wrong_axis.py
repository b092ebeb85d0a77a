"""GD818: the scores of an attention are softened along another dimension than that of the keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.attention_names import SOFTMAX, softmax_names
from gptdoctor.source.attention_ranks import least_rank
from gptdoctor.source.attention_text import Attention, Did, attentions_of, softmax_operand
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.flow_turns import number
from gptdoctor.source.matrix_products import equation_of, sides
from gptdoctor.source.memory_order import rank_of, turned
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.project import Project
from gptdoctor.source.single_features import ends_single, is_single, says_single
from gptdoctor.source.softmax_dimension import softmax_dimension
from gptdoctor.source.text_values import kept_in

CODE = "GD818"


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The softmax of an attention, along whatever it goes."""
    if not isinstance(node, ast.Call) or visit.flow is None:
        return
    found = [one for one in attentions_of(visit.project, visit.flow) if one.softmax is node]
    single = "" if found else _over_one(node, visit.project, visit.flow)
    if single:
        made, where = _maker(node, visit.project, visit.flow)
        yield suspicion(CODE, made, where, f"`{text_of(node)}` {single}")
    for attention in found:
        if _is_plain(attention):
            fault = _fault(attention, visit.project, visit.flow)
            if fault:
                made, where = _maker(node, visit.project, visit.flow)
                yield suspicion(CODE, made, where, f"`{text_of(node)}` {fault}")


def see_layer(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """`nn.Softmax(dim=-1)` behind a layer of one feature, in a stack."""
    stack = visit.parent
    if not isinstance(node, ast.Call) or not isinstance(stack, ast.Call) or visit.flow is None:
        return
    place = stack.args.index(node) if node in stack.args else 0
    if not place or visit.module.names.called(stack) != "torch.nn.Sequential":
        return
    last = [*node.args, *(one.value for one in node.keywords)]
    over_last = len(last) == 1 and number(last[0]) == -1
    if over_last and ends_single(stack.args[place - 1], visit.flow):
        told = f"`{text_of(node)}` runs over a dimension of size 1: each weight is 1"
        yield suspicion(CODE, node, visit.flow, told)


def _over_one(call: ast.Call, project: Project, function: Function) -> str:
    """What is wrong with scores of one feature each, softened along it: all weights are 1.

    Scores [B, T, 1] of a pooling have their keys in the dimension before.
    """
    if (
        not says_single(function.owner or function.module)
        or softmax_dimension(call, project, function) != -1
    ):
        return ""
    given = softmax_operand(call, function)
    if given is None or not is_single(given, function):
        return ""
    return "runs over a dimension of size 1, so that each weight is 1 whatever the scores"


def _maker(call: ast.Call, project: Project, function: Function) -> tuple[ast.expr, Function]:
    """Where the dimension of a softmax is written: a layer has it where it is made."""
    name = self_attribute(call.func)
    kept = kept_in(project, function, name) if name else None
    # One of a base may be right for what other classes make of it.
    return kept if kept is not None and kept[1].owner is function.owner else (call, function)


def _is_plain(attention: Attention) -> bool:
    """Whether the dimensions stay where they are from the scores to the values.

    Weights that are divided by a sum of their own are softened along one dimension and normalised
    along another, as slots do it.
    """
    moved = (Did.RESHAPED, Did.OPAQUE, Did.DIVIDED, Did.ADDED)
    later = any(one.did in moved for one in attention.weights)
    return not later and not any(one.did is Did.RESHAPED for one in attention.scores)


def _fault(attention: Attention, project: Project, function: Function) -> str | None:
    given = softmax_dimension(attention.softmax, project, function)
    keys = _keys_from_the_end(attention)
    if keys is None:
        return None
    if given == "none":
        return "names no dimension: torch takes the heads, or the batch, for the keys"
    axis = given if isinstance(given, int) else None
    if axis is None:
        return None
    rank = max(rank_of(project, one, function) for one in attention.products)
    if axis >= 0:
        # [B, Q, K] at least, in what is trained: a dimension 0 is none of the keys'.
        if axis == 0 and (rank > 2 or (keys == -1 and rank == 0 and _is_batched(attention))):
            return "runs over the batch, and not over the keys"
        least = _least_rank(attention, project, function)
        rank = rank or (least if axis < least - 1 else 0)
        if rank < 3 or axis >= rank:
            return None
        axis -= rank
    if axis == keys:
        return None
    return "runs over another dimension than that of the keys, along which the values are summed"


def _least_rank(attention: Attention, project: Project, function: Function) -> int:
    """The fewest dimensions that the scores must have: `k.transpose(2, 3)` takes four.

    Those of queries and keys may be told by the method that splits the heads.
    """
    products = [one for one in attention.products if equation_of(one) is None]
    given = [side for product in products for side in sides(product)]
    turns = (turned(side, function) for side in given)
    needed = max((turn.least_rank for turn in turns if turn is not None), default=0)
    return max([needed, *(least_rank(project, side, function) for side in given)])


def _keys_from_the_end(attention: Attention) -> int | None:
    """Where the keys are among the dimensions of the weights, counted from the end."""
    if any(self_attribute(side) for side in sides(attention.product)):
        return None  # heads that are mixed by a weight of the module's: these are no values
    equation = equation_of(attention.product)
    if isinstance(attention.product, ast.Call) and equation is None:
        called = text_of(attention.product.func).rpartition(".")[2]
        return -1 if called in ("matmul", "bmm") else None
    if equation is None:
        return -1
    given, _, result = equation.partition("->")
    parts = given.split(",")
    if len(parts) != 2 or not result or "." in equation:
        return None
    summed = [one for one in parts[0] if one in parts[1] and one not in result]
    return parts[0].index(summed[0]) - len(parts[0]) if len(summed) == 1 else None


def _is_batched(attention: Attention) -> bool:
    return any("bmm" in text_of(one) for one in attention.products)


SICK = """\
from torch import nn


class Reading(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        q, k, v = self.inward(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
        weights = scores.softmax(dim=-2)
        return weights @ v
"""

DEFECT = Defect(
    code=CODE,
    name="softmax-over-wrong-axis",
    severity=Severity.HIGH,
    summary="The softmax of an attention runs over another dimension than that of the keys.",
    explanation=(
        "The weights of an attention sum to 1 over the dimension along which the values are "
        "summed: the last one in `weights @ v`. `dim=1` takes the heads, `dim=-2` the queries, and "
        "no `dim` at all is taken by torch as 0 or 1. Scores of one feature, as a pooling has them "
        "of `nn.Linear(width, 1)`, have their keys in the dimension before: of these `dim=-1` "
        "makes each weight 1. Weights that are divided by a sum of their own afterwards, as slots "
        "do it, weights that are turned before the values, and any softmax that is none of an "
        "attention (experts, contrastive heads) are not meant."
    ),
    harm=(
        "The weights of a position do not sum to 1, and those of one position depend on the "
        "queries of others, later ones too: the future leaks past the mask."
    ),
    confirmed_by=(
        "No probe measures it under this code. A run shows the harm as GD801, future-leak, or "
        "GD802, batch-leak; `weights.sum(-1)` is 1 everywhere in a right one."
    ),
    sick=SICK,
    healed=SICK.replace("dim=-2)\n        return", "dim=-1)\n        return"),
    suspects={
        calls("Softmax"): see_layer,
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
    },
)
