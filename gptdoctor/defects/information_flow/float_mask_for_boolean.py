"""GD811: a mask of ones and zeros where it is added, or where only truth values are taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.attention_names import ATTENTION, SOFTMAX, attention_names, softmax_names
from gptdoctor.source.attention_text import Did, scores_behind
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.layer_calls import calls_of, kept_as
from gptdoctor.source.mask_forms import Kind
from gptdoctor.source.mask_uses import (
    SDPA,
    Use,
    attribute_made,
    fill_use,
    layer_uses,
    padding_masks_of,
    sdpa_mask,
    sdpa_use,
    softmax_uses,
)
from gptdoctor.source.misplaced_masks import suspicion, use_suspicion
from gptdoctor.source.padding_masks import PaddingReader

CODE = "GD811"
_HARM = {
    "filled": "is a tensor of numbers, and masked_fill takes truth values alone: the call fails",
    "added": "holds ones and zeros and is added to the scores: it hides nothing",
    "sdpa": "holds ones and zeros, and a mask of numbers is added to the scores: it hides nothing",
    "layer": "holds ones and zeros, and a mask of numbers is added to the scores: it hides nothing",
}


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """Masks of numbers that scores have met."""
    if isinstance(node, ast.Call) and visit.flow is not None:
        for use in softmax_uses(visit.project, visit.flow, node):
            yield from _suspect(use)
        reader = PaddingReader(visit.project)
        for step in scores_behind(visit.project, visit.flow, node):
            given = step.other if step.did is Did.ADDED else None
            if given is not None and reader.is_plain_numbers(given, visit.flow):
                told = f"`{text_of(given)}` {_HARM['added']}"
                yield suspicion(CODE, step.node, visit.flow, told)


def see_fill(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A masked_fill by a mask of numbers, of whatever tensor."""
    if isinstance(node, ast.Call) and visit.flow is not None:
        use = fill_use(visit.project, visit.flow, node)
        yield from _suspect(use) if use is not None else ()


def see_attention(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The mask of a call of torch's attention."""
    if isinstance(node, ast.Call) and visit.flow is not None:
        use = sdpa_use(visit.project, visit.flow, node)
        yield from _suspect(use) if use is not None else ()
        given = sdpa_mask(node) if visit.module.names.called(node) == SDPA else None
        if given is not None and PaddingReader(visit.project).is_plain_numbers(given, visit.flow):
            yield suspicion(CODE, node, visit.flow, f"`{text_of(given)}` {_HARM['sdpa']}")


def see_layer(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The masks that a layer of torch's is called with."""
    name, layer = attribute_made(node, visit.parents), visit.module.names.called(node)
    if name is not None and layer is not None and visit.owner is not None:
        for use in layer_uses(visit.project, visit.owner, layer, name, padding=True):
            yield from _suspect(use)
    yield from see_padding(node, visit)


def see_padding(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The masks of padding that a layer of torch's is called with."""
    flow, owner, layer = visit.flow, visit.owner, visit.module.names.called(node) or ""
    if flow is None or owner is None or not layer.startswith("torch.nn."):
        return
    name = kept_as(node, visit.parents, flow)
    for call, function in calls_of(visit.project, owner, name) if name else ():
        for given in padding_masks_of(call, layer, function):
            if PaddingReader(visit.project).is_plain_numbers(given, function):
                told = f"`{text_of(given)}` {_HARM['layer']}"
                yield suspicion(CODE, call, function, told)


def _suspect(use: Use) -> Iterator[Suspicion]:
    # One like another tensor has that tensor's type, and is left alone.
    if use.mask.kind is Kind.NUMBER:
        yield use_suspicion(CODE, use, f"`{text_of(use.given)}` {_HARM[use.how]}")


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
        seen = torch.tril(torch.ones(x.shape[1], x.shape[1], device=x.device))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return y.transpose(1, 2).flatten(2)
"""

DEFECT = Defect(
    code=CODE,
    name="float-mask-for-boolean",
    severity=Severity.HIGH,
    summary="A mask of ones and zeros is given where numbers are added to the scores.",
    explanation=(
        "`scaled_dot_product_attention` and the attention layers of torch.nn take truth values, "
        "or numbers that they add to the scores: minus infinity hides, 0 does not. "
        "`torch.tril(torch.ones(T, T))` without `dtype=torch.bool`, or a padding mask after "
        "`.float()`, adds 1 to some scores and hides none. `masked_fill` takes truth values alone. "
        "Masks that were made of minus infinity, or are compared with 0, are not meant, nor are "
        "masks like another tensor, whose type the text does not tell."
    ),
    harm=(
        "Every position sees every other: the model learns to copy the answer from the future, "
        "and reads its padding. Nothing fails, and the training loss looks very good."
    ),
    confirmed_by=(
        "No probe measures it under this code. A run shows the harm as GD801, future-leak, or "
        "GD804, padding-leak; a masked_fill by such a mask fails at the first call."
    ),
    sick=SICK,
    healed=SICK.replace("x.shape[1], device", "x.shape[1], dtype=torch.bool, device"),
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
        calls("masked_fill", "masked_fill_"): see_fill,
        calls(ATTENTION): see_attention,
        NamedIn(ast.Call, attention_names): see_attention,
        calls("MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder"): see_layer,
        calls("Transformer", "TransformerDecoder", "TransformerDecoderLayer"): see_layer,
    },
)
