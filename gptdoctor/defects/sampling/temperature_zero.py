"""GD413: temperature 0 gives neither the likeliest token nor a clear error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import SampledMethod, Sampling, ZeroDraw
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.generation_tests import draws, known

CODE = "GD413"
PROBE = "sampling"
# The likeliest token in all rows but those that a tie or a rounding may move.
GREEDY_SHARE = 0.99


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Sampling):
        return
    for method in measurement.methods:
        status = None if method.zero is None else _status(method.zero)
        if method.zero is not None and status is not None:
            yield _conviction(method, method.zero, status)


def _status(zero: ZeroDraw) -> Status | None:
    """None: it refuses 0, or never spoke of it."""
    if zero.argmax_share is not None and zero.argmax_share >= GREEDY_SHARE:
        return Status.REFUTED
    refuses = zero.crash is not None and not zero.crash.own
    nothing = zero.crash is None and zero.argmax_share is None
    return None if refuses or nothing or not zero.promised else Status.CONFIRMED


def _conviction(method: SampledMethod, zero: ZeroDraw, status: Status) -> Conviction:
    crash = zero.crash
    place, told = method.scaling_place, "gives other tokens than the likeliest"
    if status is Status.REFUTED:
        place, told = method.place, "takes the likeliest token"
    elif crash is not None and crash.path is not None:
        told = f"fails with {crash.kind}"
        if method.scaling_line is None:
            place = Place(path=crash.path, symbol=crash.symbol, line=crash.line)
    if status is Status.CONFIRMED and zero.admitting_line is not None:
        place = replace(place, line=zero.admitting_line)  # it lets 0 in to what divides
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=place,
        message=f"`{method.symbol}` {told} at `{method.parameter}` 0",
        values={
            "parameter": method.parameter,
            "promised": zero.promised,
            "argmax_share": zero.argmax_share,
            "rows": zero.rows,
            "error": None if crash is None else f"{crash.kind}: {crash.message}",
            **values_of(method.written),
        },
        symptom=True,  # of a temperature that is ignored or does something else
    )


def _test(values: Mapping[str, Value]) -> str:
    """Draws from known logits at temperature 0."""
    drawing = draws(values, rows=8)
    if not drawing:
        return ""
    return (
        f"{known(values)}"
        "temperature = 0.0\n"
        f"{drawing}"
        "share = (drawn == known.argmax()).double().mean().item()\n"
        f'assert share >= {GREEDY_SHARE}, f"{{share:.0%}} of the draws are the likeliest token"\n'
    )


SICK = """\
import torch
from torch import nn


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def generate(self, ids, max_new_tokens, temperature=1.0):
        if temperature < 0:
            raise ValueError("a temperature below 0 means nothing")
        for _ in range(max_new_tokens):
            logits = self(ids)[:, -1]
            probs = torch.softmax(logits / temperature, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

BAD = """\
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
"""
GOOD = """\
            if temperature == 0:
                probs = nn.functional.one_hot(logits.argmax(-1), logits.size(-1)).float()
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
"""
HEALED = SICK.replace(BAD, GOOD)

DEFECT = Defect(
    code=CODE,
    name="temperature-zero",
    severity=Severity.LOW,
    summary=(
        "At temperature 0 the method gives other tokens than the likeliest, or fails in the "
        "arithmetic."
    ),
    explanation=(
        "A method speaks of a temperature of 0: it compares the temperature with it, documents it "
        "or has it as its default. Called with 0 it divides all the same, and returns garbage or "
        "fails in the arithmetic. Not meant: a method that takes the likeliest token at 0, that "
        "raises an error of its own, or that never speaks of 0, at which softmax(logits / "
        "temperature) is not defined."
    ),
    harm=(
        "Temperature 0 is how everybody asks for the likeliest text: evaluations that want to be "
        "repeatable crash, or measure noise."
    ),
    confirmed_by=(
        "The probe sampling calls the method at temperature 0 with known logits. Where it speaks "
        "of 0, tokens other than the likeliest and a failure confirm; the likeliest token in "
        "every row refutes."
    ),
    sick=SICK,
    healed=HEALED,
    convicts={PROBE: _convict},
    proof=Proof(measures=("probes.instruments.filter_draws:known_logits",), test=_test),
)
