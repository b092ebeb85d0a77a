"""GD415: decoding with a cache gives other logits than the forward pass over all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Status, Value
from gptdoctor.core.measurements.cached_decoding import CachedDecoding
from gptdoctor.core.measurements.generation import Generation
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.followed_test import MEASURES, followed_test

CODE = "GD415"
PROBE = "cached-decoding"
GENERATION = "generation"
# Of the largest logit.  Of 30 right models of transformers all but one stay below 2e-6; a state
# space model that scans in chunks and steps by another formula comes to 2e-4.  A wrong position, a
# wrong mask or a missing key is above 1e-2 with weights as uneven as the probe makes them.
TOLERANCE = 1e-3
NOISES = 10  # of those that full passes have among themselves


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, CachedDecoding) or not measurement.parameter:
        return
    steps, chunks = measurement.step_difference, measurement.chunk_difference
    sick = _disagrees(measurement)
    target = record.target
    told = "other logits than" if sick else "the logits of"
    entry = target.entry_place
    yield Conviction(
        rule=CODE,
        status=Status.CONFIRMED if sick else Status.REFUTED,
        probe=PROBE,
        place=(measurement.place or entry) if sick else None,
        message=(
            f"`{target.name}` gives {told} the forward pass over the whole text "
            f"when it decodes token by token with `{measurement.parameter}`"
        ),
        values={
            "parameter": measurement.parameter,
            "step_difference": steps,
            "chunk_difference": chunks,
            "noise": measurement.noise,
            "position": measurement.position,
            "module": measurement.module,
            "text_tokens": measurement.length,
            "call": measurement.call,
            "logits": measurement.logits,
            "left": measurement.left,
            **({} if measurement.call or not sick else _drawn(record)),
        },
    )


def _disagrees(measurement: CachedDecoding) -> bool:
    # Chunks of several tokens after a cache are more than many a right model takes on: a state
    # space model goes on from its state by one token alone.
    return measurement.step_difference > max(TOLERANCE, NOISES * measurement.noise)


def _drawn(record: ModelRecord) -> dict[str, Value]:
    """The call of a method that draws with the cache that it makes for the model to fill."""
    methods = (method for one in record.told(Generation) for method in one.methods)
    astray = (method for method in methods if method.keeps_state and method.departs)
    return next((values_of(method.followed) for method in astray), {})


def _convict_methods(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Generation):
        return
    if any(map(_disagrees, record.told(CachedDecoding))):
        return  # the forward pass itself is the root
    for method in measurement.methods:
        if method.shortened and method.keeps_state and method.departs:
            yield Conviction(
                rule=CODE,
                status=Status.CONFIRMED,
                probe=GENERATION,
                place=method.place,
                message=(
                    f"`{method.symbol}` draws other tokens than follow from the text so far, "
                    "once it goes on from its cache"
                ),
                values={
                    "clear_rows": tuple(step.rows for step in method.steps),
                    "followed_rows": tuple(step.agreeing for step in method.steps),
                    **values_of(method.followed),
                },
            )


def _test(values: Mapping[str, Value]) -> str:
    """A text token by token, or what a method draws, against forward passes over all so far."""
    if values.get("tokens"):
        return followed_test(values, "drawn with the cache follow from the whole text")
    call, left = values.get("call"), values.get("left")
    if not call:
        return ""
    return f"""\
def fresh():
    return jitter(build(), 0.1, seed=0).eval()  # so that a wrong position shows

def step(ids, left, before):
    output = {call}
    return output{values["logits"]}, {f"output{left}" if left else None}

model, ids, cuts = fresh(), random_ids(batch=2, length=12), list(range(5, 13))
with torch.no_grad():
    steps = decoded(lambda ids: step(ids, None, 0), step, ids, cuts)
    whole = [last(logits(fresh(), ids[:, :cut])) for cut in cuts]
worst = max(relative_difference(*pair) for pair in zip(steps, whole))
assert worst <= {TOLERANCE}, f"the logits differ by {{worst:.2g}} of the largest"
"""


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.position = nn.Embedding(512, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids, past=None):
        start = 0 if past is None else past[0].size(1)
        places = torch.arange(ids.size(1), device=ids.device)
        x = self.embed(ids) + self.position(places)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
        mask = torch.ones(ids.size(1), k.size(1), device=ids.device).tril(start).bool()
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.head(x + y), (k, v)

    def loss(self, ids):
        logits = self(ids[:, :-1])[0]
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
"""

HEALED = SICK.replace("self.position(places)", "self.position(start + places)")

DEFECT = Defect(
    code=CODE,
    name="cache-disagrees",
    severity=Severity.HIGH,
    summary=(
        "Token by token with a cache or a state, the model computes something else than over the "
        "whole text."
    ),
    explanation=(
        "What an earlier call left behind does not stand for the tokens that it saw: positions "
        "start anew, the mask fits only one call, keys are missing, doubled or in the wrong "
        "order. Not meant: models whose logits change with what comes after them (capacity of "
        "experts, models that look ahead), for which nothing is compared."
    ),
    harm=(
        "The model that generates is not the model that was trained: texts are worse than the "
        "loss promises, and nothing fails."
    ),
    confirmed_by=(
        "The probe cached-decoding gives a text of 12 tokens at once, then token by token, and "
        "compares logits. A difference above a thousandth of the largest logit, and above ten "
        "times the noise, confirms; smaller ones refute. The probe generation compares the tokens "
        "of methods that keep a cache with those that follow from the whole text."
    ),
    sick=SICK,
    healed=HEALED,
    convicts={PROBE: _convict, GENERATION: _convict_methods},
    proof=Proof(
        measures=(
            "probes.cached_decoding:decoded",
            "probes.cached_decoding:last",
            "probes.cached_decoding:relative_difference",
            *MEASURES,
        ),
        test=_test,
    ),
)
