"""GD801: later tokens move the outputs of earlier positions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from gptdoctor.core.findings import Conviction, Severity, Status, Suspicion, Value
from gptdoctor.core.measurements.batch_isolation import BatchIsolation
from gptdoctor.core.measurements.causality import Causality, FutureRun
from gptdoctor.core.measurements.information import SEEDS, place_of
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.defect import Defect, NamedIn, Proof, Visit, calls
from gptdoctor.source.attention_names import ATTENTION, SOFTMAX, attention_names, softmax_names
from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.layer_calls import calls_of, kept_as
from gptdoctor.source.leak_test import MEASURES, later_tokens_test
from gptdoctor.source.leaking_layers import (
    POOLING,
    gives_mean_to_all,
    may_be_over_time,
    may_shift,
    pads_both_sides,
    reads_both_ways,
    shifts_back,
)
from gptdoctor.source.mask_uses import Use, attribute_made, layer_uses, sdpa_use, softmax_uses
from gptdoctor.source.misplaced_masks import border_suspicion, fault_of, suspicion
from gptdoctor.source.unmasked_attention import calls_without_mask, shows_all

CODE = "GD801"
PROBE = "causality"


def see_softmax(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A mask of scores that are softened here."""
    if isinstance(node, ast.Call) and visit.flow is not None:
        for use in softmax_uses(visit.project, visit.flow, node):
            yield from _suspect(use)
        yield from _suspect_missing(node, visit)


def see_attention(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The mask of a call of torch's attention."""
    if isinstance(node, ast.Call) and visit.flow is not None:
        use = sdpa_use(visit.project, visit.flow, node)
        yield from _suspect(use) if use is not None else _suspect_missing(node, visit)


def see_layer(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """The masks that a layer of torch's is called with, or that none is."""
    if not isinstance(node, ast.Call):
        return
    name, layer = attribute_made(node, visit.parents), visit.module.names.called(node)
    if layer is None or visit.owner is None or visit.flow is None:
        return
    if name is not None:
        for use in layer_uses(visit.project, visit.owner, layer, name):
            yield from _suspect(use)
    name = kept_as(node, visit.parents, visit.flow)
    for call, function in calls_without_mask(visit.project, visit.owner, node, name or ""):
        yield _without_mask(call, function)


def see_convolution(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A convolution over time that is padded on both sides."""
    flow, owner = visit.flow, visit.owner
    if not isinstance(node, ast.Call) or flow is None or owner is None:
        return
    if pads_both_sides(visit.project, owner, node, flow):
        told = (
            f"`{text_of(node)}` is padded alike on both sides: a position sees half a kernel of "
            "tokens that come after it"
        )
        yield _of_layer(node, flow, owner, told, visit)


def see_recurrence(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A recurrent layer that reads backwards as well."""
    flow, owner = visit.flow, visit.owner
    if not isinstance(node, ast.Call) or flow is None or owner is None:
        return
    if reads_both_ways(visit.project, owner, node):
        told = (
            f"`{text_of(node.func)}` reads the text backwards as well: a position sees the very "
            "token that it is to tell"
        )
        yield _of_layer(node, flow, owner, told, visit)


def _of_layer(
    made: ast.Call, function: Function, owner: ClassInfo, told: str, visit: Visit
) -> Suspicion:
    """The suspicion where a layer is made; a run shows it where the layer is called."""
    name = kept_as(made, visit.parents, function)
    called = calls_of(visit.project, owner, name) if name is not None else ()
    lines = frozenset(call.lineno for call, _ in called)
    return replace(suspicion(CODE, made, function, told), also_at=lines)


def see_mean(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A mean over the whole text that each position is given."""
    if not isinstance(node, ast.Call) or not may_be_over_time(node) or visit.flow is None:
        return
    if gives_mean_to_all(visit.project, visit.flow, node):
        told = f"`{text_of(node)}` is of all tokens of the text, and each position is given it"
        yield suspicion(CODE, node, visit.flow, told)


def see_shift(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A shift of the text that gives each position the one after it."""
    if not isinstance(node, ast.Call) or not may_shift(node) or visit.flow is None:
        return
    if shifts_back(visit.project, visit.flow, node):
        told = f"`{text_of(node)}` gives each position what stands at the next one"
        yield suspicion(CODE, node, visit.flow, told)


def _suspect(use: Use) -> Iterator[Suspicion]:
    """A border that lies too late by as many positions as one sees ahead."""
    if use.works and use.hidden is not None and fault_of(use.hidden) == "ahead":
        ahead = use.hidden.offset - 1
        told = f"`{text_of(use.given)}` lets a position see {ahead} ahead of itself"
        yield border_suspicion(CODE, use, told)


def _suspect_missing(call: ast.Call, visit: Visit) -> Iterator[Suspicion]:
    """No mask at all, where the next token is to be told."""
    if visit.flow is not None and shows_all(visit.project, visit.flow, call):
        yield _without_mask(call, visit.flow)


def _without_mask(call: ast.Call, function: Function) -> Suspicion:
    told = (
        f"`{ast.unparse(call.func)}` has no mask: a position sees the very token that it is to tell"
    )
    return suspicion(CODE, call, function, told)


def read_causality(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    """Convict a leak that holds with all seeds and at two lengths; refute where none is."""
    if not isinstance(measurement, Causality) or not measurement.finite:
        return
    if measurement.leaks and not measurement.misplaced and not _mixes_rows(measurement, record):
        if not measurement.left_to_the_caller:  # that is another rule
            yield _conviction(measurement, record)
    elif measurement.runs and not measurement.seeds_leaking:
        yield Conviction(
            rule=CODE,
            status=Status.REFUTED,
            probe=PROBE,
            place=None,
            message="No output moves when later tokens change.",
            values={
                "calls": len(measurement.runs),
                "lengths": tuple(sorted({run.length for run in measurement.runs})),
            },
        )


def _mixes_rows(measurement: Causality, record: ModelRecord) -> bool:
    """Whether the same statement mixes the rows of the batch: then that is the root."""
    return any(
        one.seeds_leaking == SEEDS and one.place is not None and one.place == measurement.place
        for one in record.told(BatchIsolation)
    )


def _conviction(measurement: Causality, record: ModelRecord) -> Conviction:
    leak = next(run for run in measurement.runs if run.influence > measurement.least_influence)
    return Conviction(
        rule=CODE,
        status=Status.CONFIRMED,
        probe=PROBE,
        place=place_of(measurement.place, record.target),
        message=_message(measurement, leak),
        values={
            "how": leak.how,
            "length": leak.length,
            "influence": leak.influence,
            "output_position": leak.output_position,
            "token_position": leak.token_position,
            "farthest_ahead": leak.farthest_ahead,
            "seeds": measurement.seeds_leaking,
            "cause": measurement.cause,
            **({"caller_mask": measurement.caller_mask} if measurement.caller_mask else {}),
        },
    )


def _message(measurement: Causality, leak: FutureRun) -> str:
    cause = f": {measurement.cause}" if measurement.cause else ""
    how = "" if leak.how == "as called" else f" ({leak.how})"
    mask = measurement.caller_mask
    given = f"; a causal mask given as `{mask}` would hide them" if mask else ""
    return f"Later tokens move the outputs of earlier positions{how}{cause}{given}."


def _test(values: Mapping[str, Value]) -> str:
    """Each token exchanged alone, at the length and in the way that showed the leak."""
    return later_tokens_test(values.get("length"), str(values.get("how")))


SICK = """\
import math

import torch
from torch import nn
from torch.nn import functional as F


class EagerReader(nn.Module):
    def __init__(self, vocab_size, width):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        hidden = torch.ones_like(scores, dtype=torch.bool).triu(2)
        weights = scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)
        logits = self.head(x + weights @ v)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="future-leak",
    severity=Severity.CRITICAL,
    summary="A position sees tokens that come after it.",
    explanation=(
        "The causal mask is missing, is lost on one of the paths, or begins one diagonal too late; "
        "or something else reaches ahead, such as a convolution that is padded on both sides or a "
        "mean over the whole text. What looks ahead by design is not meant: encoders, masked, "
        "prefix and diffusion language models, experts that choose their tokens. They are known "
        "by their names, flags and configuration; `causal = false` in pyproject.toml says it "
        "of others, and `causal = true` that a model may never look ahead. A model that leaves "
        "its causal mask to the caller is GD809, unless its name or a loss of its own says that "
        "it has to be causal by itself."
    ),
    harm=(
        "The model learns to copy the answer instead of predicting it: its training loss looks "
        "splendid, and what it generates is worthless, because then there is no future to see."
    ),
    confirmed_by=(
        "The probe causality exchanges later tokens, with moved weights, at lengths that cross "
        "every window of the model, on all attention paths that it has, with a mask that hides "
        "nothing, and in training mode without randomness. A change of an earlier output by more "
        "than 1e-5 of the largest (rounding stays below 3.3e-7, real leaks begin at 7e-4) with "
        "three seeds and at two lengths confirms it. Two recorded runs show the first operation "
        "that reaches ahead, and the statement that made its mask. No change refutes it."
    ),
    sick=SICK,
    healed=SICK.replace("triu(2)", "triu(1)"),
    suspects={
        calls(*SOFTMAX): see_softmax,
        NamedIn(ast.Call, softmax_names): see_softmax,
        calls(ATTENTION): see_attention,
        NamedIn(ast.Call, attention_names): see_attention,
        calls("MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder"): see_layer,
        calls("Conv1d"): see_convolution,
        calls("LSTM", "GRU", "RNN"): see_recurrence,
        calls(*POOLING): see_mean,
        calls("cat", "concat", "roll"): see_shift,
    },
    convicts={PROBE: read_causality},
    proof=Proof(measures=MEASURES, test=_test),
    explains=("GD803",),
    # What a cache keeps was made before the later tokens were there: it cannot agree with a pass
    # in which earlier positions have seen them.
    explains_elsewhere=("GD415",),
)
