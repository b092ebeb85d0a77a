"""GD813: a mask that comes after the softmax."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.attention_names import SOFTMAX, softmax_names
from gptdoctor.source.attention_text import (
    Attention,
    Did,
    Step,
    attentions_of,
    scores_behind,
    trail_of,
)
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.given_masks import is_position_mask
from gptdoctor.source.mask_forms import HIDING, Kind
from gptdoctor.source.mask_tables import operand
from gptdoctor.source.mask_text import MaskReader, filled_with
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.names import called_name
from gptdoctor.source.padding_masks import PaddingReader, is_over_rows
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import number_of, number_throughout

CODE = "GD813"
# What may hide something from a softmax before it.
_MASKING = (Did.FILLED, Did.WRITTEN, Did.ADDED, Did.CUT, Did.OPAQUE)
# Weights of a softmax are set to 0 by one of these.
_MAY_MASK = re.compile(r"masked_fill|(?<!\*)\*(?!\*)")
# How a class looks that makes weights sum to 1 again, or may.
_SUMMED = re.compile(r"/=? *\(?[\w.]*(sum|norm|total|denom|z\b)|\bdiv_?\(|normali[sz]e|renorm")
# What an argument is called that is added to scores.  Nothing else that is added to the weights of
# an attention, such as a bias, is called so.
MASK = re.compile(r"(^|(?<!head)_)mask$", re.IGNORECASE)
_THREE = 3  # what `where` takes: a mask, and two values
# What hands a mask on in another shape or type.
_SAME = frozenset({"to", "type_as", "float", "unsqueeze", "expand", "view", "contiguous", "type"})
DEEPEST = 6  # names and shapes from a mask that is added back to the argument


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The steps between a softmax and its values."""
    if visit.flow is None:
        return
    found = [one for one in attentions_of(visit.project, visit.flow) if one.softmax is node]
    for attention in found:
        yield from _suspect(attention, visit.project, visit.flow)
    if not found and isinstance(node, ast.Call):
        yield from _suspect_alone(node, visit.project, visit.flow)


def _suspect_alone(softmax: ast.Call, project: Project, function: Function) -> Iterator[Suspicion]:
    """Weights that no product in sight takes: those of a pooling, or of a helper."""
    owner = function.owner
    if owner is None or not _MAY_MASK.search(function.text):
        return
    if any(one.did in _MASKING[:-1] for one in scores_behind(project, function, softmax)):
        return
    zeroed = [
        (node, *taken)
        for node in own_nodes(function.node)
        if (taken := _zeroed(node, function)) is not None
    ]
    if not zeroed or _SUMMED.search(owner.text):  # the latter last: a class is long
        return
    for node, base, mask in zeroed:
        before = list(trail_of(project, function).back(base, until_softmax=True))
        plain = not any(one.did in (Did.PRODUCT, Did.OPAQUE, Did.DIVIDED) for one in before)
        if plain and any(one.node is softmax for one in before) and _hides(mask, project, function):
            yield suspicion(CODE, node, function, _told(node), [softmax])


def _zeroed(node: ast.AST, function: Function) -> tuple[ast.expr, ast.expr] | None:
    """What is set to 0 in part, and the mask that says where: `w.masked_fill(m, 0)`, `w * m`.

    Or `torch.where(m, w, zeros_like(w))`.
    """
    if isinstance(node, ast.Call) and called_name(node) == "where" and len(node.args) == _THREE:
        zeros = [one for one in node.args[1:] if _is_zero(one, function)]
        kept = [one for one in node.args[1:] if one not in zeros]
        return (kept[0], node.args[0]) if len(kept) == 1 else None
    if isinstance(node, ast.Call) and called_name(node) in ("masked_fill", "masked_fill_"):
        base, given = operand(node, function), filled_with(node, function)
        zero = given is not None and number_of(given[1], function) == 0.0
        return (base, given[0]) if base is not None and given is not None and zero else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return node.left, node.right
    return None


def _is_zero(value: ast.expr, function: Function) -> bool:
    return number_throughout(value, function) == 0.0


def _hides(mask: ast.expr, project: Project, function: Function) -> bool:
    """Whether a mask hides later positions, or padding that is looked at."""
    read = MaskReader(project).read(mask, function)
    if read is not None and read.region is not None:
        return True
    return not is_over_rows(mask) and (
        PaddingReader(project).marks_tokens(mask, function) is not None
        or PaddingReader(project).is_plain_numbers(mask, function)
    )


def _told(node: ast.AST) -> str:
    return (
        f"`{text_of(node)}` comes after the softmax: the weights no longer sum to 1, and what is "
        "hidden has taken part in their sum"
    )


def _suspect(attention: Attention, project: Project, function: Function) -> Iterator[Suspicion]:
    for step in attention.weights:
        if _fills(step, function):
            told = (
                f"`{text_of(step.node)}` comes after the softmax: what is hidden has a weight of "
                "minus infinity, and not of 0"
            )
            yield suspicion(CODE, step.node, function, told, [attention.softmax])
        elif _is_the_only_mask(step, attention, project, function):
            yield suspicion(CODE, step.node, function, _told(step.node), [attention.softmax])
        elif _adds_a_mask(step, attention, project, function):
            told = (
                f"`{text_of(step.node)}` comes after the softmax: what is hidden took part in the "
                "sum, and now has a weight of minus infinity, or as good as that"
            )
            yield suspicion(CODE, step.node, function, told, [attention.softmax])


def _fills(step: Step, function: Function) -> bool:
    """Whether a step writes minus infinity, or as good as that."""
    call = step.node
    if step.did is not Did.FILLED or not isinstance(call, ast.Call):
        return False
    if called_name(call) == "where":
        values = [number_throughout(one, function) for one in call.args[1:]]
    else:
        given = filled_with(call, function)
        values = [number_of(given[1], function) if given is not None else None]
    return any(one is not None and one <= HIDING for one in values)


def _is_the_only_mask(
    step: Step, attention: Attention, project: Project, function: Function
) -> bool:
    """Whether weights are set to 0 by a mask, which nothing else makes up for."""
    if any(one.did in _MASKING for one in attention.scores):
        return False
    if any(one.did in (Did.DIVIDED, Did.OPAQUE, Did.ADDED) for one in attention.weights):
        return False  # made to sum to 1 again
    if step.did is Did.CUT:
        return True
    if step.did is Did.MULTIPLIED and step.other is not None:
        return _hides(step.other, project, function) or _is_named_mask(step.other, function)
    node = step.node
    if step.did is Did.WRITTEN and isinstance(node, ast.Assign):
        target = node.targets[0]
        zero = number_of(node.value, function) == 0.0
        return (
            zero and isinstance(target, ast.Subscript) and _hides(target.slice, project, function)
        )
    taken = _zeroed(node, function) if step.did is Did.FILLED else None
    if taken is None:
        return False
    return _hides(taken[1], project, function) or _is_given_mask(taken[1], function)


def _adds_a_mask(step: Step, attention: Attention, project: Project, function: Function) -> bool:
    """Whether what hides scores is added to the weights that a softmax made of them."""
    if step.did is not Did.ADDED or step.other is None:
        return False
    if any(one.did in (Did.DIVIDED, Did.OPAQUE) for one in attention.weights):
        return False  # made to sum to 1 again, or out of sight
    mask = MaskReader(project).read(step.other, function)
    additive = mask is not None and mask.kind is Kind.ADDITIVE
    return (additive or _is_given_mask(step.other, function)) and _follows(step, attention, project)


def _is_named_mask(value: ast.expr, function: Function) -> bool:
    """Whether a value is an argument by a name that masks of positions alone have."""
    return isinstance(value, ast.Name) and is_position_mask(value, function)


def _is_given_mask(value: ast.expr, function: Function, depth: int = 0) -> bool:
    """Whether a value is an argument that is called a mask, in any shape or type."""
    if depth > DEEPEST:
        return False
    if isinstance(value, ast.Compare) and number_of(value.comparators[0], function) in (0.0, 1.0):
        return _is_given_mask(value.left, function, depth + 1)
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Invert):
        return _is_given_mask(value.operand, function, depth + 1)
    if isinstance(value, ast.Subscript):
        return _is_given_mask(value.value, function, depth + 1)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in _SAME and _is_given_mask(value.func.value, function, depth + 1)
    if not isinstance(value, ast.Name):
        return False
    found = [one for one in function.reaching(value) if one.role is not Role.CHANGED]
    return bool(found) and all(
        MASK.search(one.name) is not None
        if one.role is Role.ARGUMENT
        else one.role is Role.WHOLE
        and one.value is not None
        and _is_given_mask(one.value, function, depth + 1)
        for one in found
    )


def _follows(step: Step, attention: Attention, project: Project) -> bool:
    """Whether what a step is done to has come out of a softmax, whichever way it came."""
    node = step.node
    if isinstance(node, ast.BinOp):
        base = node.left if step.other is node.right else node.right
    elif isinstance(node, ast.AugAssign):
        base = node.target
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        base = node.func.value
    else:
        return False
    before = list(trail_of(project, attention.function).back(base, until_softmax=True))
    made = any(one.node is attention.softmax for one in before)
    return made and not any(one.did in (Did.PRODUCT, Did.OPAQUE) for one in before)


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
        "Between the softmax and the values the weights are filled with minus infinity, get a mask "
        "added that is meant for the scores, or are set to 0 by a mask of later positions or of "
        "padding although nothing hid these before. Weights that are divided by their sum "
        "afterwards are not meant, nor zeros in rows that are hidden whole, where the scores were "
        "masked as well."
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
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
    },
)
