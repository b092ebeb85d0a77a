"""GD406: top-k leaves other tokens than the k likeliest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Place, Severity, Status, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import FilterDraw, SampledMethod, Sampling
from gptdoctor.core.measurements.written_call import values_of
from gptdoctor.defect import Defect, Proof
from gptdoctor.source.generation_tests import FILTER_MEASURES, keeps_likeliest

CODE = "GD406"
PROBE = "sampling"
# Each token that may be drawn has a share of a quarter or more: of 64 draws none misses one.
ENOUGH_ROWS = 48


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    if not isinstance(measurement, Sampling):
        return
    for method in measurement.methods:
        found = [draw for draw in method.filters if draw.kind == "top-k"]
        wrong = [draw for draw in found if _is_wrong(draw)]
        if method.greedy or any(_is_refused(draw) for draw in found):
            continue  # the likeliest token alone tells nothing of a filter
        if wrong:
            yield _conviction(method, wrong[0], Status.CONFIRMED)
        elif found and all(draw.right for draw in found):
            yield _conviction(method, found[0], Status.REFUTED)


def _is_wrong(draw: FilterDraw) -> bool:
    if draw.crash is not None:
        return draw.crash.own
    return draw.rows >= ENOUGH_ROWS and not draw.right


def _is_refused(draw: FilterDraw) -> bool:
    return draw.crash is not None and not draw.crash.own


def _conviction(method: SampledMethod, draw: FilterDraw, status: Status) -> Conviction:
    right = status is Status.REFUTED
    told = "leaves the likeliest tokens" if right else _told(draw)
    crash = draw.crash
    place = draw.place or method.place
    if crash is not None and crash.path is not None:
        place = Place(path=crash.path, symbol=crash.symbol, line=crash.line)
    return Conviction(
        rule=CODE,
        status=status,
        probe=PROBE,
        place=method.place if right else place,
        message=f"`{method.symbol}` with {draw.parameter}={draw.value:g} {told}",
        values={
            "parameter": draw.parameter,
            "value": draw.value,
            "kept_tokens": draw.distinct_tokens,
            "kept_ranks": tuple(rank + 1 for rank in draw.ranks),
            "right_numbers": draw.may_keep,
            "rows": draw.rows,
            "error": None if crash is None else f"{crash.kind}: {crash.message}",
            **values_of(draw.written),
        },
    )


def _told(draw: FilterDraw) -> str:
    """What the filter does, in a few words."""
    if draw.crash is not None:
        return f"fails: {draw.crash.kind}"
    if 0 not in draw.ranks:
        return "throws the likeliest token away"
    if draw.distinct_tokens > len(draw.ranks):
        return "has no effect"
    if draw.ranks != tuple(range(draw.distinct_tokens)):
        return "leaves tokens that are less likely than others that it throws away"
    return f"leaves {draw.distinct_tokens} tokens"


def _test(values: Mapping[str, Value]) -> str:
    """The ranks of the tokens that the filter leaves of known logits."""
    return keeps_likeliest(values, "known_logits(V)")


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
    def generate(self, ids, max_new_tokens, top_k=50):
        for _ in range(max_new_tokens):
            logits = self(ids)[:, -1]
            kth = torch.topk(logits, min(top_k, logits.size(-1))).values[:, [-1]]
            probs = logits.masked_fill(logits > kth, -float("inf")).softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""

HEALED = SICK.replace("logits > kth", "logits < kth")

DEFECT = Defect(
    code=CODE,
    name="wrong-top-k",
    severity=Severity.MEDIUM,
    summary="Top-k leaves other tokens than the k likeliest.",
    explanation=(
        "A method takes top_k, and what can still be drawn is not exactly the k likeliest tokens: "
        "all of them, the least likely, one more or one less. Not meant: a method that is greedy, "
        "or that refuses the value with an error of its own."
    ),
    harm=(
        "What the filter is to keep out is drawn all the same, or good tokens are never drawn, "
        "and the text is worse than the model."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw from known, distinct logits with top_k = 3. Any "
        "other set of tokens than the three likeliest confirms; exactly these refute."
    ),
    sick=SICK,
    healed=HEALED,
    convicts={PROBE: _convict},
    proof=Proof(measures=FILTER_MEASURES, test=_test),
)
