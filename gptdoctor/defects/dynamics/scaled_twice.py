"""GD911: queries are scaled before an attention that scales the scores itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.attention_names import ATTENTION, SOFTMAX, attention_names, softmax_names
from gptdoctor.source.attention_text import Did, Step, attentions_of, trail_of
from gptdoctor.source.callees import callee_of
from gptdoctor.source.flow_calls import callers_here
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import end, root_name, start, text_of
from gptdoctor.source.mask_uses import SDPA, argument_of
from gptdoctor.source.matrix_products import sides
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project
from gptdoctor.source.text_values import bound_to, kept_in
from gptdoctor.source.value_ways import shaped_from, ways_of

CODE = "GD911"
# 1 / sqrt(size) and sqrt(size), of anything that is the width of a head.
_BASE = r"(\([^()*]*\)|[\w.]+(\(-1\)|\[-1\])?)"
_ROOT = rf"((\w+\.)*sqrt\([^()*]*(\([^()]*\))?[^()*]*\)|{_BASE} ?\*\* ?0\.5)"
FACTOR = re.compile(rf"^(1(\.0)? / \(?{_ROOT}\)?|{_BASE} ?\*\* ?\(?-0\.5\)?)$")
DIVISOR = re.compile(rf"^{_ROOT}$")
_FOURTH = re.compile(r"sqrt\(.*(sqrt|\*\*)|sqrt\(.*\*\*|\*\*.*\*\*")
# What a product or a quotient is written with, of which `matmul` and `**` are none.
_SCALING = re.compile(r"(?<!\*)\*(?!\*)|/|\b(?:mul|div)_?\b")
_ROOTS = re.compile(r"sqrt|\*\*[\s\\]*[-(\d.]")
_SKIPPING = ast.If | ast.For | ast.While | ast.Try | ast.Match


def see_attention(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A call without a scale of its own, of queries or keys that were scaled."""
    if not isinstance(node, ast.Call) or visit.flow is None:
        return
    if visit.module.names.called(node) != SDPA or any(one.arg is None for one in node.keywords):
        return
    if argument_of(node, "scale", 6) is not None or any(
        isinstance(one, ast.Starred) for one in node.args
    ):
        return
    for name, place in (("query", 0), ("key", 1)):
        given = argument_of(node, name, place)
        step = None if given is None else _scaled(given, node, visit)
        if step is not None:
            told = (
                f"`{text_of(step.node)}` scales the {name}, and `scaled_dot_product_attention` "
                "divides the scores by the root of the width once more: pass scale=1"
            )
            yield suspicion(CODE, step.node, visit.flow, told, [node])
            return


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """Scores that are scaled twice, or whose queries or keys were scaled before them."""
    flow = visit.flow
    if flow is None or not isinstance(node, ast.Call):
        return
    twice = _multiplies_twice(flow)
    for attention in attentions_of(visit.project, flow) if twice else ():
        if attention.softmax is not node or len(attention.products) != 1:
            continue
        steps = [*attention.scores]
        for side in sides(attention.products[0]):
            steps += _steps_behind(side, visit.project, flow)
        found = {
            step.node: step
            for step in steps
            if _is_scale(step, visit.project, flow) and _always_before(step.node, node, flow)
        }
        if len(found) > 1:
            last, *_, first = sorted(found, key=end, reverse=True)
            told = (
                f"`{text_of(last)}` divides by the root of the width what `{text_of(first)}` has "
                "divided by it before"
            )
            yield suspicion(CODE, last, flow, told, [first, node])
            return
    yield from _scaled_by_caller(node, flow, visit.project)


def _scaled_by_caller(
    softmax: ast.Call, function: Function, project: Project
) -> Iterator[Suspicion]:
    """Scores that a helper scales, of queries or keys that its only caller has scaled."""
    names = function.parameter_names
    if not names or _SCALING.search(function.text) is None:
        return
    for attention in attentions_of(project, function):
        products = attention.products if attention.softmax is softmax else ()
        if not any(root_name(one) in names for product in products for one in sides(product)):
            continue  # as most: they are made here
        inner = [one for one in attention.scores if _is_scale(one, project, function)]
        if len(products) != 1 or len(inner) != 1:
            continue
        if not _always_before(inner[0].node, softmax, function):
            continue
        for side in sides(products[0]):
            step = _caller_scales(side, function, project)
            if step is not None:
                told = (
                    f"`{text_of(inner[0].node)}` divides by the root of the width what "
                    f"`{text_of(step.node)}` has divided by it before"
                )
                yield suspicion(CODE, inner[0].node, function, told, [softmax])
                return


def _caller_scales(side: ast.expr, function: Function, project: Project) -> Step | None:
    """The step by which the only caller of a function scales one of its arguments."""
    last = [step for step in trail_of(project, function).back(side) if step.did is Did.OPAQUE]
    name = last[0].node if len(last) == 1 else None
    if not isinstance(name, ast.Name) or name.id not in function.parameter_names:
        return None
    sites = callers_here(project, function)
    given = sites[0].argument(function, name.id) if len(sites) == 1 else None
    if given is None:
        return None
    site = sites[0]
    for step in _steps_behind(given, project, site.function):
        scales = _is_scale(step, project, site.function)
        if scales and _always_before(step.node, site.node, site.function):
            return step
    return None


def _multiplies_twice(function: Function) -> bool:
    """Whether the lines of a function may multiply or divide by a root twice.

    A root that a function of no class scales by is taken in its own lines.
    """
    if function.owner is None and not _ROOTS.search(function.text):
        return False
    found = _SCALING.finditer(function.text)
    return next(found, None) is not None and next(found, None) is not None


def _steps_behind(value: ast.expr, project: Project, function: Function) -> Iterator[Step]:
    """The steps back from a value, as far as they are in sight; a method that splits heads is."""
    for step in trail_of(project, function).back(value):
        if step.did is not Did.OPAQUE:
            yield step
            continue
        given = _reshaped_by(step.node, project, function)
        if given is not None:
            yield from _steps_behind(given, project, function)
        return


def _reshaped_by(node: ast.AST, project: Project, function: Function) -> ast.expr | None:
    """What a method of the class is given that does nothing but give it another shape."""
    callee = callee_of(project, function, node) if isinstance(node, ast.Call) else None
    if callee is None or not isinstance(node, ast.Call) or not node.args:
        return None
    ways = [way for one in callee.returned for way in ways_of(one, callee, shaped_from)]
    first = callee.parameter_names[0] if callee.parameter_names else ""
    plain = bool(ways) and all(way.argument == first for way in ways)
    return node.args[0] if plain and first else None


def _scaled(given: ast.expr, call: ast.Call, visit: Visit) -> Step | None:
    """The step that scales a value on every way to the call."""
    flow = visit.flow
    if flow is None:
        return None
    for step in _steps_behind(given, visit.project, flow):
        if _is_scale(step, visit.project, flow) and _always_before(step.node, call, flow):
            return step
    return None


def _is_scale(step: Step, project: Project, function: Function) -> bool:
    if step.other is None or step.did not in (Did.MULTIPLIED, Did.DIVIDED):
        return False
    value, where = step.other, function
    if isinstance(value, ast.Name):
        value = bound_to(value, function) or value
    elif isinstance(value, ast.Attribute):
        kept = kept_in(project, function, value.attr)
        value, where = kept if kept is not None else (value, where)
    pattern = FACTOR if step.did is Did.MULTIPLIED else DIVISOR
    if isinstance(value, ast.Call) and called_name(value) == "tensor" and len(value.args) == 1:
        value = value.args[0]  # of a buffer
    text = text_of(value)
    # A fourth root on either side makes one root of both.
    return bool(pattern.match(text)) and not _FOURTH.search(text)


def _always_before(node: ast.AST, call: ast.Call, function: Function) -> bool:
    """Whether no branch or loop holds the scaling without holding the call."""
    around = (one for one, _ in function.statements_around(node) if isinstance(one, _SKIPPING))
    return all(start(one) <= start(call) and end(call) <= end(one) for one in around)


SICK = """\
import torch.nn.functional as F
from torch import nn


class Reading(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        parts = self.inward(x).unflatten(-1, (3, self.heads, -1))
        parts = parts.permute(2, 0, 3, 1, 4)
        q = parts[0] * parts.shape[-1] ** -0.5
        y = F.scaled_dot_product_attention(q, parts[1], parts[2], is_causal=True)
        return y.transpose(1, 2).flatten(2)
"""

DEFECT = Defect(
    code=CODE,
    name="scaled-twice",
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    summary="The scores of an attention are divided by the root of the head's width twice.",
    explanation=(
        "`scaled_dot_product_attention` divides by the square root of the width by itself, unless "
        "it is given `scale=`. Queries or keys that were divided by it before, as a product by "
        "hand needs it, make scores that are too small; so do scores that are divided by it before "
        "their softmax though the queries were already. A learned scale, a fourth root on either "
        "side, one that stands in another branch, and a call with `scale=` are not meant."
    ),
    harm=(
        "The softmax is nearly even at the start, so that the attention looks at everything alike, "
        "and queries and keys have to grow before it learns to choose. Weights that were trained "
        "with one scale give other outputs."
    ),
    confirmed_by=(
        "No probe measures it under this code; compare the outputs with those of "
        "`softmax(q @ k.mT * d ** -0.5) @ v`."
    ),
    sick=SICK,
    healed=SICK.replace(" * parts.shape[-1] ** -0.5", ""),
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
        calls(ATTENTION): see_attention,
        NamedIn(ast.Call, attention_names): see_attention,
    },
)
