"""GD407: top-p leaves other tokens than the likeliest that reach the share p."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from gptdoctor.core.findings import Conviction, Severity, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.measurements.sampling import FilterDraw
from gptdoctor.defect import Defect, Proof, Visit, calls
from gptdoctor.source.drawn_ranks import ranks_taken
from gptdoctor.source.draws import raw_ways
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.generation_tests import FILTER_MEASURES, keeps_likeliest
from gptdoctor.source.token_cuts import TokenCut, cuts_in, descends, made_by, may_cut, sorts_behind
from gptdoctor.source.token_filters import PROBE, read_filters
from gptdoctor.source.value_ways import operation, shaped_from, ways_of

CODE = "GD407"


_SHARE = re.compile(r"^(top_?p|p|nucleus(_p)?|topp)$", re.IGNORECASE)


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow
    if not isinstance(node, ast.Call) or function is None:
        return
    for place, told, line in _wrongs(node, function):
        lines = [node.lineno, line, place.lineno]
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(place),
            symbol=visit.symbol,
            message=f"`{ast.unparse(place)}` {told}",
            extent=(min(lines), max(lines)),
        )


def _wrongs(summed: ast.Call, function: Function) -> Iterator[tuple[ast.expr, str, int]]:
    """Where a nucleus of running sums goes wrong, what it does, and where it is cut."""
    made = operation(summed, function) if may_cut(function) else None
    sort = made_by(made[1], "sort", function) if made is not None else None
    if made is None or sort is None:
        return
    cut_here = False
    for cut in cuts_in(function):
        sums = _sums(cut.number, function)
        if sums is None or sums[0] is not summed or not _is_share(cut.bound, function):
            continue
        cut_here = True
        wrong = _wrong(sort, cut, exclusive=sums[1] or cut.moved) or _elsewhere(cut, function)
        wrong = wrong or _of_logits(summed, made[1], function)
        if wrong is not None:
            yield (*wrong, cut.node.lineno)
    for draw in ranks_taken(sort, function) if cut_here else ():
        told = "draws ranks in a falling order, which are taken for tokens: nothing looks them up"
        yield draw, told, draw.lineno


def _elsewhere(cut: TokenCut, function: Function) -> tuple[ast.expr, str] | None:
    """Tokens in their own order, out of which a mask in the order of the shares is cut."""
    if cut.placed or sorts_behind(cut.filled, function) is not False:
        return None
    place = cut.at if isinstance(cut.at, ast.expr) else cut.filled
    return place, "is cut by a mask in the order of the sort: other tokens are shut out"


def _of_logits(
    summed: ast.Call, value: ast.expr, function: Function
) -> tuple[ast.expr, str] | None:
    """Sums of logits, which are no shares."""
    if not raw_ways(value, function):
        return None
    return summed, "adds up logits, and not the shares that a softmax makes of them"


def _sums(value: ast.expr, function: Function) -> tuple[ast.Call, bool] | None:
    """The running sum that each token has, and whether its own share was taken off it."""
    ways = ways_of(value, function, shaped_from)
    source = ways[0].source if len(ways) == 1 and ways[0].binding is None else None
    exclusive = isinstance(source, ast.BinOp) and isinstance(source.op, ast.Sub)
    if exclusive and isinstance(source, ast.BinOp):
        inner = _sums(source.left, function)
        return None if inner is None or inner[1] else (inner[0], True)
    made = operation(source, function) if isinstance(source, ast.Call) else None
    known = made is not None and made[0] == "cumsum" and isinstance(source, ast.Call)
    return (source, False) if known and isinstance(source, ast.Call) else None


def _is_share(value: ast.expr, function: Function) -> bool:
    """Whether a bound is top_p itself, by its name or as an argument; 1 - top_p is the tail's."""
    if isinstance(value, ast.Attribute):
        return _SHARE.search(value.attr) is not None
    if not isinstance(value, ast.Name):
        return False
    found = function.reaching(value)
    return _SHARE.search(value.id) is not None or (
        len(found) == 1 and found[0].role is Role.ARGUMENT and "min" not in value.id
    )


def _wrong(sort: ast.Call, cut: TokenCut, *, exclusive: bool) -> tuple[ast.expr, str] | None:
    """What is wrong with a nucleus that is cut out of sorted shares, and where."""
    falling = descends(sort)
    if falling is None:
        return None
    if not falling:
        return sort, "puts the least likely tokens first: the nucleus is cut out of the tail"
    if not cut.larger:
        return cut.node, "shuts out the nucleus, and keeps the tail"
    if not exclusive:
        return cut.node, (
            "shuts out the token that crosses the share as well: where one token has more, "
            "nothing is left"
        )
    return None


def _convict(measurement: Measurement, record: ModelRecord) -> Iterator[Conviction]:
    return read_filters(measurement, CODE, "top-p", _told)


def _told(draw: FilterDraw) -> str:
    return f"leaves the {draw.distinct_tokens} likeliest tokens"


def _test(values: Mapping[str, Value]) -> str:
    """The ranks of the tokens that the filter leaves of known logits."""
    return keeps_likeliest(values, "known_logits(V, (0.4, 0.3, 0.15, 0.1))")


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
    def generate(self, ids, max_new_tokens, top_p=0.9):
        for _ in range(max_new_tokens):
            logits = self(ids)[:, -1]
            probs, order = logits.softmax(dim=-1).sort(dim=-1, descending=True)
            before = probs.cumsum(dim=-1) - probs  # the share of all likelier tokens
            drawn = torch.multinomial(probs.masked_fill(before < top_p, 0.0), 1)
            ids = torch.cat([ids, order.gather(-1, drawn)], dim=1)
        return ids
"""

HEALED = SICK.replace("before < top_p", "before > top_p")

DEFECT = Defect(
    code=CODE,
    name="wrong-top-p",
    severity=Severity.MEDIUM,
    summary="Top-p leaves other tokens than the likeliest that together reach the share p.",
    explanation=(
        "A method takes top_p, and what can still be drawn is not the nucleus: all tokens, the "
        "tail, or too many; or nothing is left where the likeliest token alone is above p. "
        "Whether the token that crosses p belongs to the nucleus differs between libraries: with "
        "it (as the paper and transformers have it) and without it are both right. The text shows "
        "a comparison or an order that is the wrong way round, sums of logits, a mask in the "
        "order of the sort that tokens in their own order are cut by, and ranks that nothing "
        "looks up."
    ),
    harm=(
        "What the filter is to keep out is drawn all the same, or generation fails as soon as the "
        "model is sure of a token."
    ),
    confirmed_by=(
        "The probe sampling lets the method draw from known logits whose likeliest tokens have "
        "the shares 0.4, 0.3, 0.15 and 0.1. At top_p = 0.6 the first two or the first may be "
        "drawn, at 0.2 the first; anything else confirms, and these refute."
    ),
    # Where ranks are taken for tokens, the likeliest is drawn as the same one for all prompts.
    explains=("GD414",),
    sick=SICK,
    healed=HEALED,
    suspects={calls("cumsum"): _suspect},
    convicts={PROBE: _convict},
    proof=Proof(measures=FILTER_MEASURES, test=_test),
)
