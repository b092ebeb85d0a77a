"""GD814: what a mask hides is filled with a number that a softmax still counts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.attention_names import SOFTMAX, softmax_names
from gptdoctor.source.attention_text import Attention, Did, Step, attentions_of, scores_behind
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, loads_of
from gptdoctor.source.flow_targets import Position, start, text_of
from gptdoctor.source.given_masks import is_position_mask
from gptdoctor.source.mask_tables import TRIANGLES, operand
from gptdoctor.source.mask_text import MaskReader, filled_with
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.names import called_name
from gptdoctor.source.nodes import every_node
from gptdoctor.source.padding_masks import PaddingReader, is_over_rows
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to, kept_in, number_of, number_throughout

CODE = "GD814"
# e to the power of -30 is 1e-13: among scaled scores, what is filled with less counts for nothing
# that fp32 can hold beside a weight of 1.  Windows of pictures are hidden with -100, and rightly.
STILL_COUNTS = -30.0
# Filled with more than this, a position is preferred, not hidden.
LARGEST = 1e-3
DEEPEST = 3  # names and helpers between what is added and how it was made
_MASK = re.compile("mask", re.IGNORECASE)


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The masks of an attention."""
    if visit.flow is None:
        return
    found = [one for one in attentions_of(visit.project, visit.flow) if one.softmax is node]
    for attention in found:
        yield from _suspect(attention, visit.project, visit.flow)
    if not found and isinstance(node, ast.Call):
        yield from _suspect_pooling(node, visit.project, visit.flow)


def _suspect_pooling(
    softmax: ast.Call, project: Project, function: Function
) -> Iterator[Suspicion]:
    """Scores of a pooling, which no product of matrices made, that hide padding by a number."""
    steps = scores_behind(project, function, softmax)
    hiding = [one for one in steps if one.did in (Did.FILLED, Did.WRITTEN, Did.ADDED, Did.CUT)]
    step = hiding[0] if len(hiding) == 1 and hiding[0].did is Did.FILLED else None
    given = filled_with(step.node, function) if step and isinstance(step.node, ast.Call) else None
    if step is None or given is None or not _is_mask(given[0], project, function):
        return
    value = _filling(step, project, function)
    names = {one.id for one in every_node(given[0]) if isinstance(one, ast.Name)}
    again = (one for name in names for one in loads_of(function).get(name, ()))
    if value is None or not STILL_COUNTS < value <= LARGEST:
        return
    if not any(start(one) > _end(softmax) for one in again):  # it may hide them once more
        yield suspicion(CODE, step.node, function, _told(step, value), [softmax])


def _told(step: Step, value: float) -> str:
    return (
        f"`{text_of(step.node)}` hides scores by {value:g}: after the softmax they still have a "
        "weight, as any score near it"
    )


def _suspect(attention: Attention, project: Project, function: Function) -> Iterator[Suspicion]:
    for step in attention.scores:
        if not _nothing_else_hides(attention, project, function, step):
            continue
        value = _written(step, project, function)
        value = _filling(step, project, function) if value is None else value
        value = _penalty(step, project, function) if value is None else value
        if value is not None and STILL_COUNTS < value <= LARGEST:
            yield suspicion(CODE, step.node, function, _told(step, value), [attention.softmax])
        elif step.did is Did.CUT or _multiplies_by_mask(step, project, function):
            told = (
                f"`{text_of(step.node)}` makes the hidden scores 0, and a softmax gives 0 a weight"
            )
            yield suspicion(CODE, step.node, function, told, [attention.softmax])


def _nothing_else_hides(
    attention: Attention, project: Project, function: Function, step: Step
) -> bool:
    """Whether no other step can take to nothing what these leave, before the softmax or after.

    What was added before a place was filled is gone there: sums count that come later.
    """
    later = (Did.MULTIPLIED, Did.FILLED, Did.WRITTEN, Did.DIVIDED, Did.OPAQUE, Did.CUT)
    if any(one.did in later for one in attention.weights):
        return False
    return not any(
        one.did is Did.OPAQUE
        or (one.did is Did.WRITTEN and one is not step)
        or (one.did is Did.ADDED and one is not step and not _is_filled_over(one, step))
        or (one.did is Did.FILLED and (_filling(one, project, function) or 0.0) <= STILL_COUNTS)
        for one in attention.scores
    )


def _written(step: Step, project: Project, function: Function) -> float | None:
    """What is written over the hidden scores, or added to them: a number that is too small.

    `scores[mask] = 0.0`, `scores + (1 - mask) * -1e-9`.
    """
    node, other = step.node, step.other
    if step.did is Did.WRITTEN and isinstance(node, ast.Assign):
        target = node.targets[0]
        index = target.slice if isinstance(target, ast.Subscript) else None
        masked = index is not None and _is_mask(index, project, function)
        return number_of(node.value, function) if masked else None
    if step.did is not Did.ADDED or not isinstance(other, ast.BinOp):
        return None
    if not isinstance(other.op, ast.Mult):
        return None
    for factor, mask in ((other.right, other.left), (other.left, other.right)):
        value = number_of(factor, function)
        if value is not None and value < 0.0 and _is_mask(mask, project, function):
            return value
    return None


def _penalty(step: Step, project: Project, function: Function) -> float | None:
    """What a step adds to the hidden scores, wherever it was made."""
    return _factor(step.other, project, function) if step.did is Did.ADDED else None


def _factor(
    added: ast.expr | None, project: Project, function: Function, depth: int = 0
) -> float | None:
    """C of `(1 - mask) * C`, which is made under a name or by a helper and then added."""
    if depth > DEEPEST or added is None:
        return None
    if isinstance(added, ast.Name):
        return _factor(bound_to(added, function), project, function, depth + 1)
    if isinstance(added, ast.Call):
        if called_name(added) in TRIANGLES:
            table = operand(added, function)
            filled = isinstance(table, ast.Call) and called_name(table) in ("full", "full_like")
            given = table.args[1] if isinstance(table, ast.Call) and len(table.args) > 1 else None
            value = number_of(given, function) if filled else None
            return value if value is not None and value < 0.0 else None
        made = callee_of(project, function, added)
        returned = [] if made is None else made.returned
        one = returned[0] if len(returned) == 1 else None
        return None if made is None else _factor(one, project, made, depth + 1)
    if not isinstance(added, ast.BinOp) or not isinstance(added.op, ast.Mult):
        return None
    for factor, mask in ((added.right, added.left), (added.left, added.right)):
        value = number_of(factor, function)
        if value is not None and value < 0.0 and _is_rest(mask, function):
            return value
    return None


def _is_rest(value: ast.expr, function: Function) -> bool:
    """Whether a value is `1 - mask`: ones where something is hidden."""
    subtracted = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub)
    if not isinstance(value, ast.BinOp) or not subtracted:
        return False
    mask = value.right
    bound = bound_to(mask, function) if isinstance(mask, ast.Name) else None
    named = _MASK.search(f"{text_of(mask)} {'' if bound is None else text_of(bound)}")
    return number_of(value.left, function) == 1.0 and named is not None


def _is_mask(value: ast.expr, project: Project, function: Function) -> bool:
    """Whether a value is a mask of pairs of positions, or one of padding."""
    mask = MaskReader(project).read(value, function)
    if mask is not None and mask.region is not None:
        return True
    return PaddingReader(project).marks_tokens(value, function) is not None


def _is_filled_over(added: Step, step: Step) -> bool:
    """Whether a sum is made before a step fills places of it, by the order of the text."""
    return step.did is Did.FILLED and _end(added.node) < _end(step.node)


def _end(node: ast.AST) -> Position:
    line, column = getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)
    return line, column


def _filling(step: Step, project: Project, function: Function) -> float | None:
    """What the hidden scores are filled with; minus infinity where that is not written down."""
    call = step.node
    if step.did is not Did.FILLED or not isinstance(call, ast.Call):
        return None
    if called_name(call) == "where":
        values = [number_throughout(one, function) for one in call.args[1:]]
        known = [one for one in values if one is not None]
        return known[0] if len(known) == 1 else float("-inf")
    given = filled_with(call, function)
    if given is None:
        return float("-inf")
    found, name = number_of(given[1], function), self_attribute(given[1])
    kept = kept_in(project, function, name) if name else None
    if kept is not None:
        found = number_of(*kept)
    return float("-inf") if found is None else found


def _multiplies_by_mask(step: Step, project: Project, function: Function) -> bool:
    if step.did is not Did.MULTIPLIED or step.other is None or is_over_rows(step.other):
        return False
    if isinstance(step.other, ast.Name) and is_position_mask(step.other, function):
        return True
    return _is_mask(step.other, project, function)


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
        weights = scores.masked_fill(later, -1e-9).softmax(dim=-1)
        return weights @ v
"""

DEFECT = Defect(
    code=CODE,
    name="finite-mask",
    severity=Severity.HIGH,
    summary="The scores that a mask hides are filled with a number that a softmax still counts.",
    explanation=(
        "`masked_fill(mask, 0)`, `-1e-9` where `-1e9` was meant, `-10`, `(1 - mask) * -5` wherever "
        "it is made, or a product of scores and a mask of zeros: a softmax gives all of these a "
        "weight. Numbers of -30 and less are not meant, nor are scores that something else hides "
        "as well, before the softmax or after."
    ),
    harm=(
        "The future leaks through the mask: the model learns from answers that it will not have, "
        "and texts with padding depend on how much of it there is."
    ),
    confirmed_by=(
        "No probe measures it under this code. A run shows the harm as GD801, future-leak, or as "
        "GD804, padding-leak."
    ),
    sick=SICK,
    healed=SICK.replace("-1e-9", "-1e9"),
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
    },
)
