"""GD417: a distribution is told that probabilities are logits, and takes their softmax."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.drawn_scores import probabilities
from gptdoctor.source.draws import DISTRIBUTIONS, draw_at
from gptdoctor.source.flow_targets import end, start
from gptdoctor.source.names import called_name
from gptdoctor.source.scores import scores_of
from gptdoctor.source.temperature import Frame

CODE = "GD417"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    draw = draw_at(node, visit.flow)
    if draw is None or visit.flow is None or not draw.logits:
        return
    kind = "sigmoid" if called_name(node).endswith("Bernoulli") else "softmax"
    found = probabilities(draw.given, Frame(visit.project, visit.flow), kind)
    scores = None if found else scores_of(draw.given, visit.flow, visit.project)
    if scores is not None and scores.kind == kind:  # of a network that a caller hands on
        found = [scores.made]
    for made in found[:1]:
        lines = [draw.call.lineno, draw.call.end_lineno or 0]
        if start(visit.flow.node) <= start(made) <= end(visit.flow.node):
            lines.append(made.lineno)
        yield Suspicion(
            rule=CODE,
            location=visit.module.location(node),
            symbol=visit.symbol,
            message=(
                f"`{ast.unparse(made)}` gives probabilities, and "
                f"`{ast.unparse(draw.call.func)}` is told that they are logits: it takes their "
                f"{kind} again, after which all choices are about as likely"
            ),
            extent=(min(lines), max(lines)),
        )


SICK = """\
import torch
from torch import nn
from torch.distributions import Categorical


class Writer(nn.Module):
    def __init__(self, vocab_size=1000, width=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.head(self.mix(self.embed(ids))[0])

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        for _ in range(max_new_tokens):
            probs = self(ids)[:, -1].softmax(dim=-1)
            drawn = Categorical(logits=probs).sample()
            ids = torch.cat([ids, drawn[:, None]], dim=1)
        return ids

    def loss(self, ids):
        logits = self(ids[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
"""

DEFECT = Defect(
    code=CODE,
    name="probabilities-as-logits",
    severity=Severity.HIGH,
    summary="A distribution is told that probabilities are logits, and takes their softmax.",
    explanation=(
        "Categorical(logits=p), or one of its like, takes the softmax of p. Where p has been "
        "through softmax already, its numbers lie between 0 and 1, and the second softmax leaves "
        "them nearly equal. Not meant: logarithms of probabilities, which are logits as good as "
        "any."
    ),
    harm=(
        "Over a vocabulary of thousands every token is drawn about as often as any other, "
        "whatever the model has learned."
    ),
    confirmed_by=(
        "No probe measures it by itself: where the method takes a temperature, the probe sampling "
        "shows that its draws do not follow softmax(logits / temperature)."
    ),
    sick=SICK,
    healed=SICK.replace("logits=probs", "probs=probs"),
    suspects={calls(*DISTRIBUTIONS): _suspect},
)
