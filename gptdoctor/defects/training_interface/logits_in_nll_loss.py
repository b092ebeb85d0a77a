"""GD640: an nll_loss is given logits, of which nothing has taken the log_softmax."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, Visit, calls
from gptdoctor.source.flow_functions import script_of
from gptdoctor.source.loss_calls import losses_at, names_of
from gptdoctor.source.scores import RAW, scores_of

CODE = "GD640"


def _suspect(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    function = visit.flow or script_of(visit.module)
    for loss in losses_at(node, visit.project, function, visit.parents):
        scores = (
            scores_of(loss.scores, loss.function, visit.project)
            if loss.kind == "nll_loss"
            else None
        )
        if scores is not None and scores.kind == RAW:
            lines = [scores.made.lineno, loss.call.lineno, loss.call.end_lineno or 0]
            yield Suspicion(
                rule=CODE,
                location=loss.function.module.location(loss.call),
                symbol=loss.function.symbol,
                message=(
                    f"`{ast.unparse(loss.call.func)}` wants logarithms of probabilities, and "
                    f"`{ast.unparse(scores.made)}` gives logits: the loss has no lower end"
                ),
                extent=(min(lines), max(lines)),
            )


SICK = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, labels=None):
        logits = self.lm_head(self.mix(self.wte(input_ids))[0])
        if labels is None:
            return logits, None
        loss = F.nll_loss(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return logits, loss
"""

DEFECT = Defect(
    code=CODE,
    name="logits-in-nll-loss",
    severity=Severity.HIGH,
    summary="An nll_loss is given logits, of which nothing has taken the log_softmax.",
    explanation=(
        "nll_loss takes the number at each target and turns its sign; it normalises nothing. Seen "
        "where the scores come from a linear layer, or from `.logits` of an output, in the same "
        "function or in a helper or a model in sight, and only their shape is changed. Not meant: "
        "a network that ends in log_softmax, and cross_entropy, which takes it itself."
    ),
    harm=(
        "The loss falls without end while the logits of all targets grow: nothing is learned of "
        "which token is likelier than another."
    ),
    confirmed_by=(
        "No probe measures it: print the loss for a few steps and see it fall below zero, where "
        "no cross-entropy can be."
    ),
    sick=SICK,
    healed=SICK.replace("F.nll_loss", "F.cross_entropy"),
    suspects={calls(*names_of("nll_loss")): _suspect},
)
