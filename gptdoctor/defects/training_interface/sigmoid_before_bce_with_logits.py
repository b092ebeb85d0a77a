"""GD641: a binary cross-entropy with logits is given probabilities, and takes their sigmoid."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import script_of
from gptdoctor.source.loss_calls import losses_at, names_of
from gptdoctor.source.scores import PROBABILITIES, scores_of

CODE = "GD641"
_LOSS = "binary_cross_entropy_with_logits"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow or script_of(visit.module)
    for loss in losses_at(node, visit.project, function, visit.parents):
        scores = (
            scores_of(loss.scores, loss.function, visit.project) if loss.kind == _LOSS else None
        )
        if scores is not None and scores.kind in PROBABILITIES:
            lines = [scores.made.lineno, loss.call.lineno, loss.call.end_lineno or 0]
            yield Suspicion(
                rule=CODE,
                location=loss.function.module.location(loss.call),
                symbol=loss.function.symbol,
                message=(
                    f"`{ast.unparse(scores.made)}` gives probabilities, and "
                    f"`{ast.unparse(loss.call.func)}` takes the sigmoid itself: all that it "
                    "trains lies between 0.5 and 0.73"
                ),
                extent=(min(lines), max(lines)),
            )


SICK = """\
import torch.nn.functional as F
from torch import nn


class Judge(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, 1)

    def loss(self, input_ids, wanted):
        scores = self.head(self.mix(self.wte(input_ids))[0][:, -1])
        chance = scores.sigmoid().squeeze(-1)
        return F.binary_cross_entropy_with_logits(chance, wanted)

    def forward(self, input_ids):
        return self.head(self.mix(self.wte(input_ids))[0][:, -1]).sigmoid()
"""

DEFECT = Defect(
    code=CODE,
    name="sigmoid-before-bce-with-logits",
    severity=Severity.HIGH,
    summary="A binary cross-entropy with logits is given probabilities in place of logits.",
    explanation=(
        "binary_cross_entropy_with_logits takes the sigmoid itself. Given a sigmoid, or a softmax, "
        "it takes that of a number between 0 and 1. Seen in the same function, and where a helper "
        "or a model in sight ends in the sigmoid. Not meant: binary_cross_entropy, which wants "
        "probabilities."
    ),
    harm=(
        "No answer can be surer than 0.73, so that the loss never falls below 0.31 for what is, "
        "nor below 0.69 for what is not, and its gradients vanish as the sigmoid saturates."
    ),
    confirmed_by=(
        "No probe measures it: the loss of a perfect answer, with logits of +20 and -20, is 0 "
        "where the code is right."
    ),
    sick=SICK,
    healed=SICK.replace("scores.sigmoid().squeeze(-1)", "scores.squeeze(-1)"),
    suspects={calls(*names_of(_LOSS)): _suspect},
)
