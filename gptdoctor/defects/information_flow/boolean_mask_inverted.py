"""GD812: a mask of truth values that means the opposite to the attention that takes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Suspicion
from gptdoctor.core.measurements.causality import Causality
from gptdoctor.core.measurements.finite_values import FiniteValues
from gptdoctor.core.measurements.information import place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.attention_names import ATTENTION, SOFTMAX, attention_names, softmax_names
from gptdoctor.source.attention_text import scores_behind
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.layer_calls import calls_of, kept_as
from gptdoctor.source.mask_uses import (
    SDPA,
    Use,
    attribute_made,
    given_masks,
    layer_uses,
    padding_masks_of,
    sdpa_mask,
    sdpa_use,
)
from gptdoctor.source.misplaced_masks import fault_of, suspicion, takes_opposite, use_suspicion
from gptdoctor.source.padding_masks import PaddingReader

CODE = "GD812"
PROBE = "causality"
_TAKES: Mapping[str, str] = {
    "sdpa": "scaled_dot_product_attention takes True for what it may see",
    "layer": "the attention layers of torch.nn take True for what is hidden",
}
_MEANS: Mapping[str, str] = {
    "sdpa": f"is True where a position may not look, and {_TAKES['sdpa']}",
    "layer": f"is True where a position may look, and {_TAKES['layer']}",
}


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A mask of padding that scores are filled by."""
    if not isinstance(node, ast.Call) or visit.flow is None:
        return
    for step in scores_behind(visit.project, visit.flow, node):
        for given, how in given_masks(step, visit.flow):
            if how == "filled" and _marks_tokens(given, visit.flow, visit) is True:
                told = f"`{text_of(given)}` is True for the tokens, and they are what is hidden"
                yield suspicion(CODE, step.node, visit.flow, told)


def see_attention(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The mask of a call of torch's attention."""
    if not isinstance(node, ast.Call) or visit.flow is None:
        return
    use = sdpa_use(visit.project, visit.flow, node)
    yield from _suspect(use) if use is not None else ()
    given = sdpa_mask(node) if visit.module.names.called(node) == SDPA else None
    if given is not None and _marks_tokens(given, visit.flow, visit) is False:
        told = f"`{text_of(given)}` is True for padding, and {_TAKES['sdpa']}"
        yield suspicion(CODE, node, visit.flow, told)


def see_layer(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The masks that a layer of torch's is called with."""
    layer = visit.module.names.called(node)
    if not isinstance(node, ast.Call) or layer is None or visit.owner is None or visit.flow is None:
        return
    name = attribute_made(node, visit.parents)
    if name is not None:
        for use in layer_uses(visit.project, visit.owner, layer, name):
            yield from _suspect(use)
    name = kept_as(node, visit.parents, visit.flow) if layer.startswith("torch.nn.") else None
    for call, function in calls_of(visit.project, visit.owner, name) if name else ():
        for given in padding_masks_of(call, layer, function):
            if _marks_tokens(given, function, visit) is True:
                told = f"`{text_of(given)}` is True for the tokens, and {_TAKES['layer']}"
                yield suspicion(CODE, call, function, told)


def _marks_tokens(given: ast.expr, function: Function, visit: Visit) -> bool | None:
    return PaddingReader(visit.project).marks_tokens(given, function)


def _suspect(use: Use) -> Iterator[Suspicion]:
    if fault_of(use.hidden) == "past" and takes_opposite(use):
        yield use_suspicion(CODE, use, f"`{text_of(use.given)}` {_MEANS[use.how]}")


def read_causality(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Confirm what the text raised where an attention sees only what comes after."""
    if not isinstance(measurement, Causality) or not measurement.misplaced:
        return
    view = measurement.misplaced_view
    place = view.place if view is not None else measurement.place
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=place_of(place, record.target),
        message="The mask hides the past and shows the future.",
        values={
            "pattern": view.pattern if view is not None else "",
            "influence": max((run.influence for run in measurement.runs), default=None),
        },
        alone=False,
    )


def read_values(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a mask that hides all tokens of a row: the softmax of its scores is NaN."""
    if not isinstance(measurement, FiniteValues):
        return
    for case in measurement.cases:
        spoiled = case.spoiled
        hidden = spoiled is not None and (spoiled.cause == "masked row" or case.evaluating)
        if spoiled is not None and hidden and spoiled.path:
            yield Conviction(
                rule=CODE,
                status=Status.CONFIRMED,
                probe="finite-values",
                place=Place(path=spoiled.path, symbol=spoiled.symbol, line=spoiled.line),
                message="The mask hides every token of a row, and what it gives is NaN.",
                values={"where": case.where, "operation": spoiled.operation},
                alone=False,
            )


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reading(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x):
        parts = self.inward(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=later)
        return y.transpose(1, 2).flatten(2)
"""

DEFECT = Defect(
    code=CODE,
    name="boolean-mask-inverted",
    severity=Severity.CRITICAL,
    summary="A mask of truth values is True where the attention that takes it means False.",
    explanation=(
        "`scaled_dot_product_attention` takes True for what a position may see; "
        "`nn.MultiheadAttention` and the Transformer layers take True for what is hidden. A mask "
        "that is made for one and given to the other hides the past and shows the future, or hides "
        "the tokens and shows the padding (`ids != pad_id` as a `key_padding_mask`, or as what "
        "`masked_fill` hides). Masks of numbers, which are added, mean the same to both."
    ),
    harm=(
        "Each position predicts the next token from the tokens that come after it, and without "
        "those before: the loss falls, and the model cannot generate. The last position, or the "
        "first, sees nothing and becomes NaN."
    ),
    confirmed_by=(
        "The probe causality reads from the scores and masks of every attention which positions it "
        "shows. One that shows only later ones, or outputs that are NaN for want of any, confirm "
        "it."
    ),
    sick=SICK,
    healed=SICK.replace("attn_mask=later", "attn_mask=~later"),
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
        calls(ATTENTION): see_attention,
        NamedIn(ast.Call, attention_names): see_attention,
        calls("MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder"): see_layer,
        calls("Transformer", "TransformerDecoder", "TransformerDecoderLayer"): see_layer,
    },
    convicts={PROBE: read_causality, "finite-values": read_values},
    explains=("GD801", "GD803", "GD804", "GD805", "GD806", "GD902"),
    explains_elsewhere=("GD902",),
)
