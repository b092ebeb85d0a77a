"""GD416: tokens are drawn from logits, or from logarithms, as if they were probabilities."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.drawn_scores import raw_paths
from gptdoctor.source.draws import DRAWING, Draw, draw_at, is_raw, raw_ways
from gptdoctor.source.flow_calls import callers
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.scores import RAW, scores_of
from gptdoctor.source.temperature import Frame

CODE = "GD416"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    draw = draw_at(node, visit.flow)
    if draw is None or visit.flow is None or draw.logits:
        return
    paths = raw_paths(draw.given, Frame(visit.project, visit.flow))
    ends = [way for path in paths for way, function in path[-1:] if function == visit.flow]
    if not paths and not _ends_raw(draw, visit.flow, visit):
        return
    if any(_is_mapped(one.argument, visit, visit.flow) for one in ends):
        return
    yield Suspicion(
        rule=CODE,
        location=visit.module.location(node),
        symbol=visit.symbol,
        message=(
            f"`{ast.unparse(draw.call.func)}` wants probabilities and is given "
            f"`{ast.unparse(draw.given)}`, which no softmax has made any"
        ),
        extent=(draw.call.lineno, draw.call.end_lineno or draw.call.lineno),
    )


def _ends_raw(draw: Draw, function: Function, visit: Visit) -> bool:
    """Whether what is drawn from is what a network in sight gives, whose last layer is linear."""
    scores = scores_of(draw.given, function, visit.project)
    return scores is not None and scores.kind == RAW


def _is_mapped(argument: str, visit: Visit, function: Function) -> bool:
    """Whether some caller gives for an argument what is not plainly logits."""
    if not argument:
        return False
    given = [
        (site.argument(function, argument), site.function)
        for site in callers(visit.project, function)
    ]
    return any(value is None or not _is_raw(value, where) for value, where in given)


def _is_raw(value: ast.expr, function: Function) -> bool:
    ways = raw_ways(value, function)
    return bool(ways) and all(is_raw(one, function) for one in ways)


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

    @torch.no_grad()
    def generate(self, ids, max_new_tokens, temperature=1.0):
        for _ in range(max_new_tokens):
            logits = self(ids)[:, -1] / temperature
            ids = torch.cat([ids, torch.multinomial(logits, 1)], dim=1)
        return ids

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="multinomial-over-logits",
    severity=Severity.HIGH,
    summary="Tokens are drawn from logits, or from logarithms, as if they were probabilities.",
    explanation=(
        "torch.multinomial, and Categorical where it is not told `logits=`, want weights that are "
        "nowhere negative. They are given what a head gives, or a log_softmax, without a softmax "
        "in between. Not meant: weights of any other kind, which need not sum to one."
    ),
    harm=(
        "A negative logit raises an error, or on some devices draws tokens that do not exist; "
        "where all are positive, tokens are drawn in proportion to their logits, which is nearly "
        "at random."
    ),
    confirmed_by=(
        "No probe measures it by itself: where the method can be run, the probe sampling shows "
        "what it draws, or that it fails. Call the method once with a small model to see it."
    ),
    sick=SICK,
    healed=SICK.replace("multinomial(logits, 1)", "multinomial(logits.softmax(dim=-1), 1)"),
    suspects={calls(*DRAWING): _suspect},
)
