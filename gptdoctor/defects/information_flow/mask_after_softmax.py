"""GD813: a mask that comes after the softmax."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.attention_text import Attention, Did, Step, attentions_of
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.mask_forms import HIDING
from gptdoctor.source.mask_tables import called_last
from gptdoctor.source.mask_text import MaskReader, filled_with
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import number_of

CODE = "GD813"
# What may hide something from a softmax before it.
_MASKING = (Did.FILLED, Did.WRITTEN, Did.ADDED, Did.OPAQUE)


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The steps between a softmax and its values."""
    if visit.flow is None:
        return
    for attention in attentions_of(visit.project, visit.flow):
        if attention.softmax is node:
            yield from _suspect(attention, visit.project, visit.flow)


def _suspect(attention: Attention, project: Project, function: Function) -> Iterator[Suspicion]:
    for step in attention.weights:
        if _fills(step, function):
            told = (
                f"`{text_of(step.node)}` comes after the softmax: what is hidden has a weight of "
                "minus infinity, and not of 0"
            )
            yield suspicion(CODE, step.node, function, told, [attention.softmax])
        elif _is_the_only_mask(step, attention, project, function):
            told = (
                f"`{text_of(step.node)}` comes after the softmax: the weights no longer sum to 1, "
                "and what is hidden has taken part in their sum"
            )
            yield suspicion(CODE, step.node, function, told, [attention.softmax])


def _fills(step: Step, function: Function) -> bool:
    """Whether a step writes minus infinity, or as good as that."""
    call = step.node
    if step.did is not Did.FILLED or not isinstance(call, ast.Call):
        return False
    if called_last(call) == "where":
        values = [number_of(one, function) for one in call.args[1:]]
    else:
        given = filled_with(call, function)
        values = [number_of(given[1], function) if given is not None else None]
    return any(one is not None and one <= HIDING for one in values)


def _is_the_only_mask(
    step: Step, attention: Attention, project: Project, function: Function
) -> bool:
    """Whether weights are multiplied by a causal mask, which nothing else makes up for."""
    if step.did is not Did.MULTIPLIED or step.other is None:
        return False
    if any(one.did in _MASKING for one in attention.scores):
        return False
    if any(one.did in (Did.DIVIDED, Did.OPAQUE, Did.ADDED) for one in attention.weights):
        return False  # made to sum to 1 again
    mask = MaskReader(project).read(step.other, function)
    return mask is not None and mask.region is not None


SICK = """\
import torch
from torch import nn


class Reading(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        q, k, v = self.inward(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        weights = scores.softmax(dim=-1)
        weights = weights.masked_fill(later, float("-inf"))
        return weights @ v
"""

HEALED = """\
import torch
from torch import nn


class Reading(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        q, k, v = self.inward(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, float("-inf"))
        weights = scores.softmax(dim=-1)
        return weights @ v
"""

DEFECT = Defect(
    code=CODE,
    name="mask-after-softmax",
    severity=Severity.HIGH,
    summary="A mask is applied to the weights of attention, after the softmax.",
    explanation=(
        "Between the softmax and the values the weights are filled with minus infinity, or "
        "multiplied by a causal mask although nothing hid the future before. Weights that are "
        "divided by their sum afterwards are not meant, nor zeros in rows that are hidden whole, "
        "where the scores were masked as well."
    ),
    harm=(
        "A weight of minus infinity makes the output minus infinity or NaN. Weights that are "
        "multiplied by 0 leave rows that sum to less than 1, the less the earlier the position, "
        "and the sum still depends on the future."
    ),
    confirmed_by=(
        "No probe measures it under this code. A run shows the first as GD902, non-finite, and "
        "the second as GD801, future-leak; printing `weights.sum(-1)` shows both."
    ),
    sick=SICK,
    healed=HEALED,
    suspects={calls("softmax"): see_softmax},
)
