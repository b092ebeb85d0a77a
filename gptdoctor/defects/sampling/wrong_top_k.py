"""GD406: top-k leaves other tokens than the k likeliest."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import FilterDraw
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_turns import number
from gptdoctor.source.generation_tests import FILTER_MEASURES, keeps_likeliest
from gptdoctor.source.token_cuts import TokenCut, cuts_in, made_by
from gptdoctor.source.token_filters import PROBE, read_filters
from gptdoctor.source.value_ways import keyword, operation

CODE = "GD406"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    for cut in cuts_in(function):
        if made_by(cut.bound, "topk", function) is not node:
            continue
        wrong = _wrong(node, cut, function)
        if wrong is not None:
            place, told = wrong
            lines = [node.lineno, cut.node.lineno]
            yield Suspicion(
                rule=CODE,
                location=visit.module.location(place),
                symbol=visit.symbol,
                message=f"`{ast.unparse(place)}` {told}",
                extent=(min(lines), max(lines)),
            )


def _wrong(topk: ast.Call, cut: TokenCut, function: Function) -> tuple[ast.expr, str] | None:
    """What is wrong with a threshold that topk gives, and where."""
    largest = keyword(topk, "largest")
    if isinstance(largest, ast.Constant) and largest.value is False:
        return topk, "takes the threshold from the wrong end: the least likely tokens stay"
    if largest is not None or not _is_scores(cut.number):
        return None
    if cut.larger:
        return cut.node, "shuts out the likeliest tokens, and keeps all others"
    more = _more(topk, function)
    if more == 1 and not cut.even:
        return topk, "keeps one token more than it is asked for"
    return None


def _is_scores(value: ast.expr) -> bool:
    """Whether each token is compared by its score, and not by its rank."""
    return not isinstance(value, ast.Constant)


def _more(topk: ast.Call, function: Function) -> int:
    """How many more than k are taken: 1 for top_k + 1."""
    made = operation(topk, function)
    given = [one for one in topk.args if made is None or one is not made[1]]
    count = keyword(topk, "k") or (given[0] if given else None)
    plus = isinstance(count, ast.BinOp) and isinstance(count.op, ast.Add)
    return (number(count.right) or 0) if plus and isinstance(count, ast.BinOp) else 0


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    return read_filters(measurement, CODE, "top-k", _told)


def _told(draw: FilterDraw) -> str:
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
    suspects={calls("topk"): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(measures=FILTER_MEASURES, test=_test),
)
