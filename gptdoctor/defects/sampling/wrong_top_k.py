"""GD406: top-k leaves other tokens than the k likeliest."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from gptdoctor.core.findings import Conviction, Severity, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import FilterDraw
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.activations import activation
from gptdoctor.source.drawn_ranks import ranks_taken
from gptdoctor.source.draws import scored_from
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function, own_nodes
from gptdoctor.source.generation_tests import FILTER_MEASURES, keeps_likeliest
from gptdoctor.source.names import called_name
from gptdoctor.source.ordered_cuts import likeliest_shut_out
from gptdoctor.source.text_values import bound_to
from gptdoctor.source.token_cuts import TokenCut, cuts_in, made_by
from gptdoctor.source.token_filters import PROBE, read_filters
from gptdoctor.source.top_k_bounds import (
    from_the_wrong_end,
    is_first,
    is_left,
    marks_likeliest,
    more_than_asked,
)
from gptdoctor.source.value_ways import keyword, operation, ways_of

CODE = "GD406"
KEPT_BY_ZERO = (
    "gives 0 to the tokens that it shuts out, and the softmax that follows draws them all the same"
)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    sorts = called_name(node) != "topk"
    wrongs = _of_sort(node, function) if sorts else _wrongs(node, visit, function)
    for place, told, line in wrongs:
        lines = [node.lineno, line, place.lineno]
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(place),
            symbol=visit.symbol,
            message=f"`{ast.unparse(place)}` {told}",
            extent=(min(lines), max(lines)),
        )


def _wrongs(
    topk: ast.Call, visit: Visit, function: Function
) -> Iterator[tuple[ast.expr, str, int]]:
    """Where a filter of the values of topk goes wrong, what it does, and where it is applied."""
    for cut in cuts_in(function):
        cut = _bound_last(cut, function)
        if made_by(cut.bound, "topk", function) is topk:
            wrong = _wrong(topk, cut, visit, function)
            if wrong is not None:
                yield (*wrong, cut.node.lineno)
    if is_left(topk, function):
        yield topk, "gives a threshold that nothing reads: no token is shut out", topk.lineno
    marked = marks_likeliest(topk, function)
    if marked is not None:
        yield marked, "shuts out the likeliest tokens, and keeps all others", marked.lineno
    base = _filled_up(topk, visit, function)
    if base is not None:
        yield base, KEPT_BY_ZERO, base.lineno
    for draw in ranks_taken(topk, function):
        told = "draws ranks among the likeliest, which are taken for tokens: nothing looks them up"
        yield draw, told, draw.lineno


def _of_sort(sort: ast.Call, function: Function) -> Iterator[tuple[ast.expr, str, int]]:
    """The same of the values of a sort, and of the places that it or an argsort gives."""
    shut = likeliest_shut_out(sort, function)
    if shut is not None:
        yield shut, "shuts out the likeliest tokens, and keeps all others", shut.lineno
    for cut in cuts_in(function):
        if cut.larger or made_by(cut.bound, "sort", function) is not sort:
            continue
        if from_the_wrong_end(cut.bound, sort, function):
            told = "takes the threshold from the wrong end of the order: nearly all tokens stay"
            yield cut.node, told, cut.node.lineno


def _bound_last(cut: TokenCut, function: Function) -> TokenCut:
    """`v > z` as `z < v`."""
    if made_by(cut.bound, "topk", function) or not made_by(cut.number, "topk", function):
        return cut
    return replace(cut, number=cut.bound, bound=cut.number, larger=not cut.larger)


def _wrong(
    topk: ast.Call, cut: TokenCut, visit: Visit, function: Function
) -> tuple[ast.expr, str] | None:
    """What is wrong with a threshold that topk gives, and where."""
    largest = keyword(topk, "largest")
    if isinstance(largest, ast.Constant) and largest.value is False:
        return topk, "takes the threshold from the wrong end: the least likely tokens stay"
    if largest is not None or not _is_scores(cut.number):
        return None
    if cut.larger:
        return cut.node, "shuts out the likeliest tokens, and keeps all others"
    if is_first(cut.bound, topk, function):
        return cut.node, "takes the likeliest token for the threshold: no other one stays"
    more = more_than_asked(topk, function)
    if more == 1 and not cut.even:
        return topk, "keeps one token more than it is asked for"
    if more == 0 and cut.even:
        return cut.node, "shuts out the last of the k likeliest tokens as well"
    zero = cut.fill is None or _is_zero(cut.fill)
    if zero and _becomes_shares(cut.at, visit, function):
        place = cut.at if isinstance(cut.at, ast.expr) else cut.node
        return place, KEPT_BY_ZERO
    return None


def _filled_up(topk: ast.Call, visit: Visit, function: Function) -> ast.Call | None:
    """`zeros_like(z)` that the values of topk are scattered into, where a softmax comes next."""
    for node in own_nodes(function.node) if "scatter" in function.text else ():
        if not isinstance(node, ast.Call) or called_name(node) not in ("scatter", "scatter_"):
            continue
        made = operation(node, function)
        base = None if made is None else made[1]
        base = bound_to(base, function) if isinstance(base, ast.Name) else base
        blank = called_name(base) in ("zeros_like", "zeros", "new_zeros")
        values = node.args[-1] if node.args else node
        known = blank and made_by(values, "topk", function) is topk
        if known and isinstance(base, ast.Call) and _becomes_shares(node, visit, function):
            return base
    return None


def _is_zero(value: ast.expr) -> bool:
    return (isinstance(value, ast.Constant) and value.value == 0) or (
        called_name(value) == "zeros_like"
    )


def _becomes_shares(made: ast.AST, visit: Visit, function: Function) -> bool:
    """Whether what a filter leaves goes into a softmax, here or where its helper is called."""
    if _softmax_of(made, function):
        return True
    if not any(value is made or _holds(value, made, function) for value in function.returned):
        return False
    sites = callers(visit.project, function)
    return bool(sites) and all(_softmax_of(one.node, one.function) for one in sites)


def _softmax_of(made: ast.AST, function: Function) -> bool:
    """Whether a softmax in a function is taken of what a call or a statement makes."""
    for node in own_nodes(function.node):
        known = activation(node, function) if isinstance(node, ast.Call) else None
        given = known[1] if known is not None and known[0] == "softmax" else None
        if given is not None and _holds(given, made, function):
            return True
    return False


def _holds(value: ast.expr, made: ast.AST, function: Function) -> bool:
    """Whether a value is what a call makes, or a statement writes into, on one of its ways."""
    written = made.value if isinstance(made, ast.Assign) else made
    return any(
        written is way.source or written in way.steps
        for way in ways_of(value, function, scored_from, scaled=True)
    )


def _is_scores(value: ast.expr) -> bool:
    """Whether each token is compared by its score, and not by its rank."""
    return not isinstance(value, ast.Constant)


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
        "all of them, the least likely, one more or one less. The text shows a threshold that is "
        "not the k-th value, or compares the wrong way round, zeros that a softmax follows, an "
        "order of which the wrong end is shut out, and ranks that nothing looks up in the order. "
        "Not meant: a method that is greedy, or that refuses the value with an error of its own."
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
    suspects={calls("topk", "sort", "argsort"): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(measures=FILTER_MEASURES, test=_test),
)
