"""GD806: a causal mask that hides the wrong positions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.causality import AttentionView, Causality
from gptdoctor.core.measurements.information import place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, NamedIn, Proof, Visit, calls
from gptdoctor.source.attention_names import ATTENTION, SOFTMAX, attention_names, softmax_names
from gptdoctor.source.cached_masks import misaligned
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.leak_test import MEASURES, later_tokens_test
from gptdoctor.source.mask_uses import Use, attribute_made, layer_uses, sdpa_use, softmax_uses
from gptdoctor.source.misplaced_masks import (
    border_suspicion,
    fault_of,
    suspicion,
    takes_opposite,
    use_suspicion,
)

CODE = "GD806"
PROBE = "causality"
_TOLD = {
    "only later": "The mask hides the past and shows the future",
    "never itself": "The mask hides each position from itself",
}
_FAULTS = {
    "past": "hides the past and shows the future: the mask is turned round",
    "itself": "hides each position from itself, and from the first position everything",
}


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A mask of scores that are softened here."""
    if isinstance(node, ast.Call) and visit.flow is not None:
        for use in softmax_uses(visit.project, visit.flow, node):
            yield from _suspect(use)
            yield from _suspect_cached(use)


def see_attention(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The mask of a call of torch's attention."""
    if isinstance(node, ast.Call) and visit.flow is not None:
        use = sdpa_use(visit.project, visit.flow, node)
        yield from (*_suspect(use), *_suspect_cached(use)) if use is not None else ()


def see_layer(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The masks that a layer of torch's is called with."""
    name, layer = attribute_made(node, visit.parents), visit.module.names.called(node)
    if name is not None and layer is not None and visit.owner is not None:
        for use in layer_uses(visit.project, visit.owner, layer, name):
            yield from _suspect(use)


def _suspect(use: Use) -> Iterator[Suspicion]:
    """What a mask hides that it should not; one of a kind that hides nothing is another rule."""
    fault = fault_of(use.hidden)
    if not use.works or fault not in _FAULTS:
        return
    if fault == "past" and takes_opposite(use):
        return  # the convention was mistaken: GD812
    told = f"`{text_of(use.given)}` {_FAULTS[fault]}"
    yield border_suspicion(CODE, use, told) if fault == "itself" else use_suspicion(CODE, use, told)


def _suspect_cached(use: Use) -> Iterator[Suspicion]:
    """A mask whose rows begin at the first position, over keys of earlier calls as well."""
    drawn = misaligned(use) if use.works else None
    if drawn is not None:
        told = (
            f"`{text_of(drawn)}` is drawn for the first positions: behind cached keys the queries "
            "are the last ones, and see the oldest keys alone"
        )
        yield suspicion(CODE, drawn, use.function, told, [use.node])


def read_causality(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict an attention that sees only later positions, never itself, or nothing at all."""
    if not isinstance(measurement, Causality):
        return
    view = measurement.misplaced_view
    if not measurement.misplaced:
        if measurement.finite and any(one.pattern == "causal" for one in measurement.views):
            yield _refuted(measurement)
        return
    place = view.place if view is not None else measurement.place
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=place_of(place, record.target),
        message=_message(measurement, view),
        values={
            "pattern": view.pattern if view is not None else "",
            "finite": measurement.finite,
            "influence": max((run.influence for run in measurement.runs), default=None),
            "sees_past": measurement.sees_past,
            "cause": measurement.cause,
        },
    )


def _refuted(measurement: Causality) -> Conviction:
    return Conviction(
        rule=CODE,
        status=Status.REFUTED,
        probe=PROBE,
        place=None,
        message="The attentions see their own position and those before it.",
        values={"attentions": len(measurement.views)},
    )


def _message(measurement: Causality, view: AttentionView | None) -> str:
    if view is not None:
        told = _TOLD[view.pattern]
    elif not measurement.finite:
        told = "Some positions see nothing"
    else:
        told = "Positions see only what comes after them"
    if not measurement.finite:
        told += ", so that the softmax of some rows has nothing left and gives no numbers"
    return f"{told}."


def _test(values: Mapping[str, Value]) -> str:
    """What a mask in the wrong place shows in the outputs: no numbers, or later tokens."""
    if values.get("finite") is False:
        return """\
for recorded in (True, False):  # a layer of torch's may take another way in either
    with torch.set_grad_enabled(recorded):
        found = logits(build().eval(), random_ids())
    assert found.isfinite().all(), "some positions see nothing: their logits are no numbers"
"""
    influence = values.get("influence")
    if not isinstance(influence, float) or influence <= 1e-5:
        return ""  # a position that sees all but itself still has its residual
    return later_tokens_test("T")


SICK = """\
import math

import torch
from torch import nn
from torch.nn import functional as F


class BackwardReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        visible = torch.ones_like(scores, dtype=torch.bool).triu()
        weights = scores.masked_fill(~visible, -torch.inf).softmax(dim=-1)
        logits = self.head(x + weights @ v)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="misplaced-mask",
    severity=Severity.CRITICAL,
    summary="The causal mask hides the wrong positions.",
    explanation=(
        "The mask is turned round (a position sees what comes after it, and nothing before), lies "
        "one diagonal too low (a position never sees itself, and the first sees nothing), is drawn "
        "for the first positions where the keys of earlier calls stand before those of this one, "
        "or is softened along the wrong dimension, so that some rows are hidden whole. A mask that "
        "is missing, or lets a position see some way ahead, is GD801. Sliding windows, sinks and "
        "sparse patterns that see themselves are not meant."
    ),
    harm=(
        "A position predicts the next token from the answer, or without its own token. Where the "
        "hidden scores are minus infinity, a row without any other score becomes NaN, and with it "
        "the loss and all gradients."
    ),
    confirmed_by=(
        "The probe causality reads from the scores and masks of every attention over the text "
        "which positions it shows, at moved weights. One that shows no position to itself, or "
        "only later ones where later tokens move earlier outputs as well, confirms it; so do "
        "outputs that are NaN from a softmax on of which all scores are hidden."
    ),
    sick=SICK,
    healed=SICK.replace(".triu()", ".tril()"),
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
        calls(ATTENTION): see_attention,
        NamedIn(ast.Call, attention_names): see_attention,
        calls("MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder"): see_layer,
        calls("Transformer", "TransformerDecoder", "TransformerDecoderLayer"): see_layer,
    },
    convicts={PROBE: read_causality},
    proof=Proof(measures=MEASURES, test=_test),
    explains=("GD801", "GD803", "GD804", "GD805", "GD902"),
    # A mask that hides a whole row is made in one class, and its softmax is NaN in another.
    explains_elsewhere=("GD902",),
)
